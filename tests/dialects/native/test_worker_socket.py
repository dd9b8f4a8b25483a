"""A worker's socket: who may open it, what comes down, and what closes it."""

import pytest

from dispatcher.dialects.native.options import NativeOptions
from tests.dialects.native.sockets import Closed, Socket, connect, connected, events
from tests.dialects.native.worker_sockets import a_worker, about, closed_with, handed, not_called, path_of, working
from tests.dialects.native.world import REGISTER, START_MS, World


async def test_a_task_comes_down_is_worked_on_and_told(world: World) -> None:
    server_id = await a_worker(world)
    async with events(world), connected(world, f"server-{server_id}", path_of(server_id)) as socket:
        welcome = await socket.recv()
        assert welcome == {
            "type": "welcome", "serverId": server_id, "heartbeatMs": 10_000, "leaseMs": 30_000,
            "maxMessage": 8_388_608 + 65_536,
        }  # fmt: skip
        task = await handed(world, socket, priority=3, payload={"n": 1})
        assert task | {"callbackToken": "", "deadline": 0} == {
            "taskId": task["taskId"], "type": "video-processing", "priority": 3, "capabilities": [], "attempt": 1,
            "callbackUrl": f"http://gateway/api/task/{task['taskId']}", "callbackToken": "", "deadline": 0,
            "lease": 30, "payload": {"n": 1},
        }  # fmt: skip
        socket.send(about(task, "progress", progress=40))
        socket.send({"type": "ping"})
        assert (await socket.recv()) == {"type": "pong"}
        shown = (await world.call("GET", f"/api/task/{task['taskId']}")).json()
        assert (shown["status"], shown["progress"], shown["serverId"]) == ("PROCESSING", 40, server_id)
        socket.send(about(task, "result", status="COMPLETED", result={"ok": 1.50}))
        assert await socket.recv() == {**about(task, "ack"), "accepted": True}
        shown = (await world.call("GET", f"/api/task/{task['taskId']}")).json()
        assert (shown["status"], shown["result"]) == ("COMPLETED", {"ok": 1.5})
        socket.send(about(task, "result", status="COMPLETED", result={"ok": 1.50}))
        assert (await socket.recv())["accepted"], "the same once more"
        socket.send(about(task, "result", status="COMPLETED", result={"ok": 2}))
        assert await socket.recv() == {**about(task, "ack"), "accepted": False, "code": "CONFLICT_RESULT"}


async def test_heartbeats_are_due_thrice_a_lease() -> None:
    world = World(options=NativeOptions(claim_lease_ms=3_000))
    async with connected(world, "admin", path_of(await a_worker(world))) as socket:
        welcome = await socket.recv()
        assert (welcome["heartbeatMs"], welcome["leaseMs"]) == (1_000, 3_000)
    await world.close()


async def test_a_heartbeat_is_answered_and_renews_the_token(world: World) -> None:
    server_id = await a_worker(world)
    async with working(world, server_id) as socket:
        socket.send({"type": "heartbeat", "activeTasks": 1, "metrics": {"gpu": 7}, "bootId": "b", "running": []})
        assert await socket.recv() == {"type": "pong"}
        server = await world.store.servers.get(server_id)
        assert (server.metrics, server.boot_id, server.reported_active) == ('{"gpu": 7}', "b", 1)
        world.clock.advance(700_000_000)
        socket.send({"type": "heartbeat"})
        assert await socket.recv() == {"type": "pong", "serverToken": f"server-{server_id}"}
        await world.store.servers.remove(server_id)
        socket.send({"type": "heartbeat"})
        assert await closed_with(socket) == 4404


async def test_a_cancelled_task_is_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.backend, "cancel", not_called)
    server_id = await a_worker(world)
    async with events(world), working(world, server_id) as socket:
        task = await handed(world, socket)
        await world.call("POST", f"/api/task/{task['taskId']}/cancel")
        stop = await socket.recv()
        assert stop == {**about(task, "control"), "action": "stop", "reason": "The task is CANCELLED"}
        socket.send(about(task, "release"))
        assert await socket.recv() == {**about(task, "ack"), "accepted": False, "code": "CANCELLED"}
        assert (await world.store.servers.get(server_id)).active == 0


async def test_who_may_open_it(world: World) -> None:
    server_id, other = await a_worker(world), await a_worker(world)
    async with working(world, server_id, "admin"):
        pass
    pushed = await world.register()
    refused = {
        (server_id, "client-a"): ("FORBIDDEN", 4403),
        (server_id, f"server-{other}"): ("FORBIDDEN", 4403),
        (server_id, "nobody"): ("UNAUTHORIZED", 4401),
        ("server_unknown", "admin"): ("NOT_FOUND", 4404),
        (pushed, "admin"): ("ILLEGAL_STATE", 4400),
    }
    for (target, token), (code, closing) in refused.items():
        socket = connect(world, token, path=path_of(target))
        await socket.accepted()
        assert (await socket.recv())["code"] == code
        assert await closed_with(socket) == closing
    assert (await world.call("GET", path_of(server_id), "admin")).status_code == 426


async def test_a_second_socket_replaces_the_first(world: World) -> None:
    server_id = await a_worker(world)
    async with events(world), working(world, server_id) as old, working(world, server_id) as new:
        with pytest.raises(Closed) as closed:
            await old.recv()
        assert closed.value.code == 1008
        await handed(world, new)


@pytest.mark.parametrize("says", [True, False])
async def test_one_that_says_that_it_leaves_is_offline_at_once(world: World, says: bool) -> None:
    server_id = await a_worker(world)
    async with working(world, server_id) as socket:
        if says:
            socket.send({"type": "bye"})
            assert await closed_with(socket) == 1000
        else:
            await socket.drop()
    await world.settle()
    server = await world.store.servers.get(server_id)
    assert (server.session, server.online) == ("", not says)


async def test_a_gateway_that_stops_sends_workers_elsewhere(world: World) -> None:
    server_id = await a_worker(world)
    async with working(world, server_id) as socket:
        await world.services.sessions.drain()
        assert await closed_with(socket) == 1012
    socket = connect(world, "admin", path=path_of(server_id))
    await socket.accepted()
    assert (await socket.recv())["code"] == "UNAVAILABLE"
    assert await closed_with(socket) == 1013


async def test_pause_and_resume_are_told_as_they_come(world: World) -> None:
    server_id = await a_worker(world)
    async with events(world), working(world, server_id) as socket:
        task = await handed(world, socket)
        path, about_it = f"/api/task/{task['taskId']}", {"taskId": task["taskId"], "attempt": 1}
        paused = await world.call("POST", f"{path}/pause", body={"reason": "night"})
        assert (paused.status_code, paused.json()["message"]) == (200, "Task paused")
        assert await socket.recv() == {"type": "control", "action": "pause", **about_it, "reason": "night"}
        shown = (await world.call("GET", path)).json()
        assert (shown["status"], shown["state"]) == ("PROCESSING", "PAUSED")
        assert (await world.call("POST", f"{path}/resume")).json()["message"] == "Task resumed"
        assert await socket.recv() == {"type": "control", "action": "resume", **about_it, "reason": ""}
        socket.send(about(task, "result", status="COMPLETED"))
        assert (await socket.recv())["accepted"]
        for verb in ("pause", "resume"):
            refused = await world.call("POST", f"{path}/{verb}")
            assert (refused.status_code, refused.json()["code"]) == (400, "ILLEGAL_STATE")


async def test_a_task_is_paused_only_where_its_server_can_be_told(world: World) -> None:
    await world.register()
    task_id = await world.create()
    refused = await world.call("POST", f"/api/task/{task_id}/pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "NO_CONTROL_CHANNEL")
    task_id = await world.create(group="nowhere")
    assert (await world.call("POST", f"/api/task/{task_id}/pause", body={"reason": None})).status_code == 200
    shown = (await world.call("GET", f"/api/task/{task_id}")).json()
    assert (shown["status"], shown["state"]) == ("PENDING", "PAUSED")


async def test_a_server_that_is_handed_its_tasks_claims_none_and_has_no_endpoints(world: World) -> None:
    server_id = await a_worker(world)
    refused = await world.call("POST", f"/api/servers/{server_id}/claim", "admin", {})
    assert (refused.status_code, refused.json()["code"]) == (400, "ILLEGAL_STATE")
    both = await world.call("POST", "/api/servers", "admin", {**REGISTER, "transport": "socket"})
    assert (both.status_code, both.json()["field"]) == (400, "endpoints")
    shown = (await world.call("GET", f"/api/servers/{server_id}", "admin")).json()
    assert (shown["transport"], shown["registeredAt"]) == ("socket", START_MS)


async def test_what_it_calls_its_start_is_an_id_and_keeps_it_from_being_replaced_by_itself(world: World) -> None:
    server_id = await a_worker(world)
    token, path = f"server-{server_id}", path_of(server_id)

    async def opened(query: str) -> Socket:
        socket = connect(world, token, path=path, query=query)
        await socket.accepted()
        return socket

    bad = await opened("bootId=no%20id")
    assert (await bad.recv())["field"] == "bootId"
    assert await closed_with(bad) == 4400
    sockets = []
    for start in ("b1", "b1", "b2"):
        sockets.append(await opened(f"bootId={start}"))
        assert (await sockets[-1].recv())["type"] == "welcome"
    assert [await closed_with(socket) for socket in sockets[:2]] == [1012, 1008]
    await sockets[2].drop()
