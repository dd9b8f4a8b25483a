"""Servers that claim their tasks, over HTTP."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from dispatcher.domain.event import FleetEvent
from tests.dialects.native.world import REGISTER, START_MS, World

PULL = {"transport": "pull", "endpoints": None}


async def claim(world: World, server_id: str, body: object = None, **headers: str) -> httpx.Response:
    token = world.tokens.server(server_id)
    return await world.call("POST", f"/api/servers/{server_id}/claim", token, body or {}, headers)


async def report(world: World, given: dict[str, Any], **body: Any) -> httpx.Response:
    return await world.call("PUT", f"/api/task/{given['taskId']}", given["callbackToken"], body)


async def beat(world: World, server_id: str, **body: Any) -> None:
    answer = await world.call("POST", f"/api/servers/{server_id}/heartbeat", world.tokens.server(server_id), body)
    assert answer.status_code == 200


async def in_line(world: World) -> None:
    """Until a claim waits."""
    while len(world.services.workers) == 0:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)


async def news(world: World) -> None:
    """What the fleet's stream says when a task has come."""
    await asyncio.sleep(0)
    world.services.workers.publish(FleetEvent("1-0", "task", {"state": "PENDING"}))


async def status(world: World, task_id: str) -> str:
    found: str = (await world.call("GET", f"/api/task/{task_id}")).json()["status"]
    return found


async def later(world: World, ms: int) -> None:
    """Time passes, and is looked at often enough that it is no outage."""
    for _ in range(ms // 1000):
        world.clock.advance(1000)
        await world.duties.run()


@pytest.mark.parametrize("what", ["claim", "heartbeat"])
async def test_a_body_where_all_is_optional_may_be_missing(world: World, what: str) -> None:
    server_id = await world.register(**PULL)
    path, token = f"/api/servers/{server_id}/{what}", world.tokens.server(server_id)
    none = await world.call("POST", path, token)
    assert none.status_code == {"claim": 204, "heartbeat": 200}[what], none.text
    other = await world.call("POST", path, token, raw=b"{}", headers={"Content-Type": "text/plain"})
    assert other.status_code == 415
    document = (await world.call("GET", "/openapi.json", None)).json()
    assert document["paths"][f"/api/servers/{{id}}/{what}"]["post"]["requestBody"]["required"] is False


async def test_from_a_claim_to_the_end(world: World) -> None:
    server_id = await world.register(**PULL, capabilities=["video"])
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    payload = '{"big": 12345678901234567890,  "e":"\\u00e9"}'
    created = await world.call(
        "POST", "/api/task", raw=f'{{"type":"v","priority":3,"capabilities":["video"],"payload":{payload}}}'.encode(),
        headers={"traceparent": trace},
    )  # fmt: skip
    task_id = created.json()["id"]
    answer = await claim(world, server_id)
    assert answer.status_code == 200
    assert f'"payload":{payload}' in answer.text
    given = answer.json()
    assert {name: value for name, value in given.items() if name not in ("payload", "callbackToken")} == {
        "taskId": task_id,
        "type": "v",
        "priority": 3,
        "capabilities": ["video"],
        "attempt": 1,
        "callbackUrl": f"http://gateway/api/task/{task_id}",
        "deadline": START_MS + 300_000,
        "lease": 30,
        "traceparent": trace,
    }
    assert world.backend.grants == {}, "it is never called"
    assert (await report(world, given, progress=45)).json()["progress"] == 45
    assert (await report(world, given, status="COMPLETED", result={"n": 1})).status_code == 200
    shown = (await world.call("GET", f"/api/task/{task_id}")).json()
    assert (shown["status"], shown["result"], shown["serverId"]) == ("COMPLETED", {"n": 1}, server_id)
    assert (await claim(world, server_id)).status_code == 204


async def test_nothing_to_do_is_204_without_a_body(world: World) -> None:
    answer = await claim(world, await world.register(**PULL))
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert "content-length" not in answer.headers


async def test_a_claim_waits_for_a_task(world: World) -> None:
    server_id = await world.register(**PULL)
    for body, headers in (({"wait": 20}, {}), ({}, {"Prefer": "wait=20"}), ({"wait": 20}, {"Prefer": "wait=0"})):
        waiting = asyncio.create_task(claim(world, server_id, body, **headers))
        await in_line(world)
        await world.create()
        await news(world)
        assert (await waiting).status_code == 200


async def test_a_claim_waits_no_longer_than_it_may(world: World) -> None:
    server_id = await world.register(**PULL)
    waiting = asyncio.create_task(claim(world, server_id, {"wait": 30}))
    await in_line(world)
    world.clock.advance(world.options.sync_limit_ms)
    await news(world)
    assert (await waiting).status_code == 204


@pytest.mark.parametrize("wait", [-1, 30.1, "5", True, [], {}])
async def test_waits_that_are_none(world: World, wait: object) -> None:
    answer = await claim(world, await world.register(**PULL), {"wait": wait})
    assert (answer.status_code, answer.json()["field"]) == (400, "wait")


async def test_the_server_shows_its_transport(world: World) -> None:
    pulls, pushed = await world.register(**PULL), await world.register()
    listed = (await world.call("GET", "/api/servers", "admin")).json()["servers"]
    assert {server["id"]: server["transport"] for server in listed} == {pulls: "pull", pushed: "push"}
    one = (await world.call("GET", f"/api/servers/{pulls}", "admin")).json()
    assert (one["transport"], one["endpoints"]) == ("pull", {})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"transport": "pull"}, "endpoints"),
        ({**PULL, "apiKey": "secret"}, "apiKey"),
        ({"endpoints": None}, "endpoints"),
        ({"transport": "push", "endpoints": None}, "endpoints"),
        ({"transport": "carrier pigeon", "endpoints": None}, "transport"),
    ],
)
async def test_registrations_that_contradict_themselves(world: World, changes: dict[str, Any], field: str) -> None:
    answer = await world.call("POST", "/api/servers", "admin", {**REGISTER, **changes})
    assert (answer.status_code, answer.json()["field"]) == (400, field)


async def test_a_server_that_is_called_claims_nothing(world: World) -> None:
    server_id = await world.register(capabilities=["x"])
    await world.create(group="nowhere")
    answer = await claim(world, server_id)
    assert (answer.status_code, answer.json()["code"]) == (400, "ILLEGAL_STATE")


async def test_only_the_server_itself_or_an_admin_claims(world: World) -> None:
    mine, other = await world.register(**PULL), await world.register(**PULL)
    await world.create()
    path = f"/api/servers/{mine}/claim"
    assert (await world.call("POST", path, world.tokens.server(other), {})).status_code == 403
    assert (await world.call("POST", path, "client-a", {})).status_code == 403
    assert (await world.call("POST", path, "admin", {})).status_code == 200
    assert (await world.call("POST", "/api/servers/server_unknown/claim", "admin", {})).status_code == 404


async def test_a_worker_s_claims_count_by_the_rule_for_workers(world: World) -> None:
    operation = next(o for o in world.dialect.operations if o.id == "claimTask")
    beating = next(o for o in world.dialect.operations if o.id == "serverHeartbeat")
    assert operation.rate is beating.rate


async def test_no_more_at_once_than_it_takes_and_nothing_in_maintenance(world: World) -> None:
    server_id = await world.register(**PULL, maxConcurrent=1)
    for _ in range(2):
        await world.create()
    given = (await claim(world, server_id)).json()
    assert (await claim(world, server_id)).status_code == 204
    await report(world, given, status="COMPLETED")
    maintenance = f"/api/servers/{server_id}/maintenance"
    await world.call("POST", maintenance, "admin", {"maintenance": True})
    assert (await claim(world, server_id)).status_code == 204
    await world.call("POST", maintenance, "admin", {"maintenance": False})
    assert (await claim(world, server_id)).status_code == 200


async def test_a_dead_worker_loses_nothing_and_its_late_report_is_refused(world: World) -> None:
    first, second = await world.register(**PULL), await world.register(**PULL)
    task_id = await world.create()
    given = (await claim(world, first)).json()
    assert given["taskId"] == task_id
    await later(world, 29_000)
    assert await status(world, task_id) == "PROCESSING"
    assert (await claim(world, second)).status_code == 204
    await later(world, 2_000)
    assert await status(world, task_id) == "PENDING"
    again = (await claim(world, second)).json()
    assert (again["taskId"], again["attempt"]) == (task_id, 2)
    late = await report(world, given, status="COMPLETED", result="late")
    assert (late.status_code, late.json()["code"]) == (409, "STALE_ATTEMPT")
    assert (await report(world, given, progress=99)).status_code == 409
    assert (await report(world, again, status="COMPLETED", result="good")).status_code == 200
    assert (await world.call("GET", f"/api/task/{task_id}")).json()["result"] == "good"


async def test_heartbeats_and_progress_keep_what_was_claimed(world: World) -> None:
    server_id = await world.register(**PULL)
    one, two = await world.create(), await world.create()
    given = {found["taskId"]: found for found in [(await claim(world, server_id)).json() for _ in range(2)]}
    for _ in range(3):
        await later(world, 20_000)
        await beat(world, server_id, running=[one, two])
    assert [await status(world, one), await status(world, two)] == ["PROCESSING", "PROCESSING"]
    for _ in range(2):  # a repeated heartbeat is no second list
        await later(world, 1_000)
        await beat(world, server_id, running=[one])
    assert [await status(world, one), await status(world, two)] == ["PROCESSING", "PENDING"]
    await later(world, 20_000)
    await report(world, given[one], progress=50)
    await later(world, 20_000)
    assert await status(world, one) == "PROCESSING"
    await beat(world, server_id, bootId="a")
    await beat(world, server_id, bootId="b")
    assert await status(world, one) == "PENDING", "it has restarted"


async def test_a_gateway_that_stops_hands_nothing_out(world: World) -> None:
    server_id = await world.register(**PULL)
    waiting = asyncio.create_task(claim(world, server_id, {"wait": 20}))
    await in_line(world)
    await world.services.workers.drain()
    assert (await waiting).status_code == 204
    await world.create()
    answer = await claim(world, server_id)
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_nothing_is_given_to_a_worker_that_went_away(world: World) -> None:
    server_id = await world.register(**PULL)
    gone = asyncio.Event()
    said = [{"type": "http.request", "body": b'{"wait":20}'}]

    async def receive() -> dict[str, object]:
        if not said:
            await gone.wait()
        return said.pop() if said else {"type": "http.disconnect"}

    async def send(message: object) -> None:
        raise AssertionError("nobody is there to be answered")

    path = f"/api/servers/{server_id}/claim"
    token = world.tokens.server(server_id).encode()
    headers = [
        (b"authorization", b"Bearer " + token),
        (b"content-type", b"application/json"),
        (b"content-length", b"11"),
    ]
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": headers, "root_path": "", "scheme": "http", "http_version": "1.1",
    }  # fmt: skip
    waiting = asyncio.create_task(world.app(scope, receive, send))
    await in_line(world)
    gone.set()
    await waiting
    assert len(world.services.workers) == 0
    task_id = await world.create()
    await news(world)
    assert await status(world, task_id) == "PENDING"


async def test_the_document_tells_of_it(world: World) -> None:
    document = json.loads((await world.call("GET", "/openapi.json", None)).text)
    found = document["paths"]["/api/servers/{id}/claim"]["post"]
    assert found["responses"]["204"] == {"description": "No task for this server now"}
    assert {"200", "400", "401", "403", "404", "429", "503"} <= found["responses"].keys()
    registration = document["components"]["schemas"]["RegisterServer"]
    assert registration["required"] == ["name"]
    assert registration["properties"]["transport"]["enum"] == ["push", "pull", "socket"]
    assert "/api/servers/{id}/socket" in document["info"]["description"]
