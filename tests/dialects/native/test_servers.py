"""The fleet over HTTP."""

import pytest

from dispatcher.domain.principal import Role
from dispatcher.domain.server import ServerStatus
from tests.dialects.native.world import REGISTER, START_MS, World


async def test_registering_answers_an_id_and_a_token_for_that_server_only(world: World) -> None:
    answer = await world.call("POST", "/api/servers", "admin", {**REGISTER, "apiKey": "s3cret"})
    body = answer.json()
    assert body["message"] == "Server registered successfully"
    assert answer.headers["Location"] == f"/api/servers/{body['serverId']}"
    assert world.sealed == {body["serverId"]: "s3cret"}
    beat = await world.call("POST", f"/api/servers/{body['serverId']}/heartbeat", body["serverToken"], {})
    assert beat.status_code == 200


async def test_the_key_is_never_shown(world: World) -> None:
    server_id = await world.register(apiKey="s3cret-key")
    for path in ("/api/servers", f"/api/servers/{server_id}", f"/api/servers/{server_id}/metrics"):
        answer = await world.call("GET", path, "admin")
        assert answer.status_code == 200
        assert "s3cret" not in answer.text
        assert "sealed" not in answer.text


async def test_a_repeated_registration_keeps_its_id(world: World) -> None:
    world.tokens.add("admin2", "other", Role.ADMIN)
    key = {"Idempotency-Key": "boot-1"}
    first, again, other = [
        (await world.call("POST", "/api/servers", token, REGISTER, key)).json()["serverId"]
        for token in ("admin", "admin", "admin2")
    ]
    assert first == again != other
    assert (await world.call("GET", "/api/servers", "admin")).json()["total"] == 2


async def test_listing_with_filters(world: World) -> None:
    one = await world.register(groups=["production", "gpu"], capabilities=["video"], priority=2, maxConcurrent=4)
    two = await world.register(groups=["test"])
    world.clock.advance(5000)
    await world.call("POST", f"/api/servers/{two}/heartbeat", "admin", {"status": "degraded", "activeTasks": 0})
    listed = (await world.call("GET", "/api/servers", "admin")).json()["servers"]
    assert [server["id"] for server in listed] == [one, two]
    shown = listed[0]
    assert (shown["uptime"], shown["timeSinceLastHeartbeat"], shown["lastHeartbeat"]) == (5000, 5000, START_MS)
    assert (shown["groups"], shown["priority"], shown["maxConcurrent"]) == (["gpu", "production"], 2, 4)
    for query, expected in (
        ("status=degraded", [two]),
        ("status=online", [one]),
        ("group=gpu", [one]),
        ("limit=1&offset=1", [two]),
    ):
        found = (await world.call("GET", f"/api/servers?{query}", "admin")).json()["servers"]
        assert [server["id"] for server in found] == expected, query


@pytest.mark.parametrize(
    ("said", "shown"), [("healthy", "online"), ("degraded", "degraded"), ("unhealthy", "degraded"), (None, "online")]
)
async def test_heartbeats(world: World, said: str | None, shown: str) -> None:
    server_id = await world.register()
    body: dict[str, object] = {
        "status": said,
        "activeTasks": 3,
        "metrics": {"cpu": 45, "memory": 60, "gpu": 80.5, "disk": "full"},
        "running": [],
        "bootId": "b",
    }
    answer = await world.call("POST", f"/api/servers/{server_id}/heartbeat", world.tokens.server(server_id), body)
    assert answer.json() == {"message": "Heartbeat updated", "serverId": server_id, "status": shown}
    metrics = (await world.call("GET", f"/api/servers/{server_id}/metrics", "admin")).json()
    assert metrics["metrics"]["reported"] == {"cpu": 45, "memory": 60, "gpu": 80.5, "disk": "full"}


async def test_a_fresh_token_comes_in_the_last_third_of_the_old_one(world: World) -> None:
    server_id = await world.register()
    path = f"/api/servers/{server_id}/heartbeat"
    token = world.tokens.add("old", server_id, Role.SERVER, server_id=server_id, life_ms=90_000)
    world.clock.advance(59_999)
    assert "serverToken" not in (await world.call("POST", path, token, {})).json()
    world.clock.advance(1)
    fresh = (await world.call("POST", path, token, {})).json()["serverToken"]
    assert "serverToken" not in (await world.call("POST", path, "admin", {})).json()
    world.clock.advance(60_000)
    assert (await world.call("POST", path, token, {})).status_code == 401
    assert (await world.call("POST", path, fresh, {})).status_code == 200


async def test_maintenance_and_its_reason(world: World) -> None:
    server_id = await world.register()
    path = f"/api/servers/{server_id}"
    on = await world.call("POST", f"{path}/maintenance", "admin", {"maintenance": True, "reason": "new GPU"})
    assert on.json() == {"message": "Maintenance mode enabled", "serverId": server_id, "status": "maintenance"}
    beat = await world.call("POST", f"{path}/heartbeat", "admin", {"status": "healthy"})
    assert beat.json()["status"] == ServerStatus.MAINTENANCE
    assert (await world.call("GET", path, "admin")).json()["maintenanceReason"] == "new GPU"
    off = await world.call("POST", f"{path}/maintenance", "admin", {"maintenance": False})
    assert off.json() == {"message": "Maintenance mode disabled", "serverId": server_id, "status": "online"}


async def test_unregister(world: World) -> None:
    server_id = await world.register()
    answer = await world.call("DELETE", f"/api/servers/{server_id}", "admin")
    assert answer.json() == {"message": "Server unregistered", "serverId": server_id}
    gone = await world.call("DELETE", f"/api/servers/{server_id}", "admin")
    assert (gone.status_code, gone.json()["details"]) == (404, f"Server not found: {server_id}")


async def test_the_documented_defaults(world: World) -> None:
    server = (await world.call("GET", f"/api/servers/{await world.register()}", "admin")).json()
    assert (server["maxConcurrent"], server["priority"], server["groups"], server["capabilities"]) == (10, 1, [], [])
    assert (server["status"], server["lastHeartbeat"]) == ("online", START_MS)
