"""The clients' WebSocket: what is said in both directions."""

import pytest

from tests.dialects.farm.conftest import OpenWorld
from tests.dialects.farm.world import CLIENT, NOBODY, Closed, World

NOW = "2024-11-04T12:00:00Z"
DONE = {"metrics": {"final_loss": 0.0018}, "checkpoint_path": "/path/to/model.pt"}


async def test_a_task_from_request_to_result(world: World) -> None:
    config = {"name": "m", "url": "http://model-server/m", "version": "1.0", "epochs": 10, "seed": [1, None]}
    async with world.connected() as socket:
        task_id = await world.create(**config)
        socket.say("task_request")
        assert await socket.hear() == {
            "type": "task",
            "data": {
                "id": task_id,
                "type": "training",
                "config": {**config, "distributed": False, "rank": 0, "world_size": 1, "attempt": 1},
                "requirements": {"min_gpu_memory": 0, "min_cpu_cores": 1, "min_ram": 0},
            },
            "timestamp": NOW,
        }
        assert (await world.task(task_id))["status"] == "running"
        await world.reported(socket, task_id, 45.5, metrics={"loss": 0.0023, "final_loss": 9})
        running = await world.task(task_id)
        assert (running["progress"], running["metrics"]) == (45.5, {"loss": 0.0023, "final_loss": 9})
        socket.say("task_result", task_id=task_id, status="completed", **DONE)
        ack = {"type": "task_result_ack", "task_id": task_id, "received": True, "timestamp": NOW}
        assert await socket.hear() == ack
        done = await world.task(task_id)
        assert (done["status"], done["progress"]) == ("completed", 100)
        assert (done["metrics"], done["checkpoint_path"]) == (
            {"loss": 0.0023, "final_loss": 0.0018},
            "/path/to/model.pt",
        )
        socket.say("task_result", task_id=task_id, status="completed", metrics={"other": 1})
        assert await socket.hear() == ack
        assert await world.task(task_id) == done


async def test_the_last_progress_counts_before_the_result(world: World) -> None:
    async with world.connected() as socket:
        task_id = await world.given(socket)
        await world.reported(socket, task_id, 10, metrics={"loss": 1})
        socket.say("task_progress", task_id=task_id, progress=20, metrics={"loss": 0.5})
        socket.say("task_result", task_id=task_id, status="failed")
        assert (await socket.hear())["received"] is True
        task = await world.task(task_id)
        assert (task["progress"], task["metrics"]) == (20, {"loss": 0.5})


async def test_members_may_stand_in_data_and_those_at_the_top_count(world: World) -> None:
    async with world.connected() as socket:
        task_id = await world.given(socket)
        data = {"task_id": task_id, "client_id": "somebody else", "status": "failed", "error": "no memory"}
        socket.send({"type": "task_result", "client_id": CLIENT, "data": data})
        assert (await socket.hear())["received"] is True
        failed = await world.task(task_id)
        assert (failed["status"], failed["error"]) == ("failed", "no memory")


async def test_one_request_brings_one_task(world: World) -> None:
    async with world.connected() as socket, world.events():
        for _ in range(3):
            socket.say("task_request")
        first, second = await world.create(), await world.create()
        assert (await socket.hear())["data"]["id"] == first
        socket.say("task_result", task_id=first, status="completed")
        assert (await socket.hear())["type"] == "task_result_ack"
        await world.settle()
        assert socket.silent
        assert (await world.task(second))["status"] == "pending"


async def test_pause_resume_and_stop_reach_the_client(world: World) -> None:
    async with world.connected() as socket, world.events():
        task_id = await world.given(socket)
        for status, action, shown in (("paused", "pause", "paused"), ("running", "resume", "running")):
            answer = await world.put(task_id, status, reason="Resource constraints")
            assert answer.json() == {"id": task_id, "status": shown, "updated_at": NOW}
            assert await socket.hear() == {"type": "control", "action": action, "task_id": task_id, "timestamp": NOW}
            assert (await world.task(task_id))["reason"] == "Resource constraints"
        assert (await world.put(task_id, "stopped")).json()["status"] == "stopped"
        assert (await socket.hear())["action"] == "stop"
        socket.say("task_result", task_id=task_id, status="stopped", **DONE)
        assert (await socket.hear())["received"] is True
        assert (await world.task(task_id))["status"] == "stopped"
        await world.given(socket)  # its slot is free


async def test_what_was_decided_while_it_was_away_is_told_on_reconnect(world: World) -> None:
    async with world.events():
        async with world.connected() as socket:
            paused = await world.given(socket)
        await world.put(paused, "paused")
        async with world.connected() as socket:
            assert (await socket.hear())["action"] == "pause"
            await world.reported(socket, paused, 10)
            assert (await world.task(paused))["progress"] == 10
        await world.put(paused, "stopped")
        async with world.connected() as socket:
            assert (await socket.hear())["action"] == "stop"


async def test_a_client_that_stops_by_itself_hands_its_task_back(world: World) -> None:
    async with world.connected() as socket, world.connected("other", caller="admin") as other, world.events():
        task_id = await world.given(socket)
        other.send({"type": "task_request"})
        socket.say("task_result", task_id=task_id, status="stopped", checkpoint_path="/shared/step-7")
        assert (await socket.hear())["received"] is True
        config = (await other.hear())["data"]["config"]
        assert (config["checkpoint_path"], config["attempt"]) == ("/shared/step-7", 2)


async def test_a_checkpoint_is_told_to_the_next_attempt_and_the_late_word_is_refused(world: World) -> None:
    async with world.connected() as dead:
        task_id = await world.given(dead)
        await world.reported(dead, task_id, 30, checkpoint_path="/shared/step-3")
    await world.later(31_000)
    async with world.connected("other") as alive:
        alive.send({"type": "task_request"})
        message = await alive.hear()
        assert message["data"]["id"] == task_id
        assert message["data"]["config"]["checkpoint_path"] == "/shared/step-3"
        async with world.connected() as late:
            late.say("task_result", task_id=task_id, status="completed")
            ack = await late.hear()
            assert (ack["received"], ack["reason"]) == (False, "CONFLICT")
        assert (await world.task(task_id))["status"] == "running"


async def test_the_result_of_a_removed_task_is_acknowledged_and_dropped(world: World) -> None:
    async with world.connected() as socket, world.events():
        task_id = await world.given(socket)
        assert (await world.call("DELETE", f"/tasks/{task_id}")).status_code == 204
        assert (await socket.hear())["action"] == "stop"
        socket.say("task_result", task_id=task_id, status="completed")
        assert (await socket.hear())["received"] is True
        assert (await world.call("GET", f"/tasks/{task_id}")).status_code == 404
        await world.given(socket)  # its slot is free


async def test_a_result_of_no_task_is_not_acknowledged(world: World) -> None:
    async with world.connected() as socket:
        for task_id in (NOBODY, "x", "../x"):
            socket.say("task_result", task_id=task_id, status="completed")
            ack = await socket.hear()
            assert (ack["received"], ack["reason"]) == (False, "NOT_FOUND")


async def test_somebody_elses_task_cannot_be_reported_on(world: World) -> None:
    async with world.connected() as socket, world.connected("other") as other:
        task_id = await world.given(socket)
        other.send({"type": "task_result", "task_id": task_id, "status": "completed"})
        assert (await other.hear())["received"] is False
        other.send({"type": "task_progress", "task_id": task_id, "progress": 99})
        error = await other.hear()
        assert (error["type"], error["data"]["code"]) == ("error", "FORBIDDEN")
        assert error["data"]["details"]["task_id"] == task_id
        assert (await world.task(task_id))["progress"] == 0


async def test_heartbeats_keep_a_client_active_and_its_task_its_own(world: World) -> None:
    async with world.connected() as socket:
        task_id = await world.given(socket)
        for _ in range(4):
            await world.later(20_000)
            socket.say("heartbeat", system_info={"cpu_usage": 45.2, "ram_usage": 60.5, "gpu_usage": 80.0})
            await world.settle()
        assert (await world.task(task_id))["status"] == "running"
        metrics = (await world.call("GET", f"/metrics/tasks/{task_id}")).json()
        assert metrics["resources"] == {"cpu_usage": 45.2, "ram_usage": 60.5, "gpu_usage": 80.0}
        await world.later(31_000)
        assert (await world.task(task_id))["status"] == "pending"
        assert (await world.call("GET", f"/clients/{CLIENT}")).json()["status"] == "inactive"


async def test_requirements_are_matched_against_reported_resources(world: World) -> None:
    small = {"cpu": {"cores": 8}, "ram": {"total": 16384}, "gpu": [{"memory": {"total": 6144}}] * 2}
    async with world.connected() as socket, world.events():
        socket.say("heartbeat", resources=small)
        await world.settle()
        task_id = await world.create(requirements={"min_gpu_memory": 10240, "min_cpu_cores": 8, "min_ram": 16384})
        socket.say("task_request")
        await world.later(2_000)
        await world.settle()
        assert socket.silent
        socket.say("task_request", resources={**small, "gpu": [{"memory": {"total": 10240}}]})
        message = await socket.hear()
        assert message["data"]["id"] == task_id
        assert message["data"]["requirements"] == {"min_gpu_memory": 10240, "min_cpu_cores": 8, "min_ram": 16384}


@pytest.mark.parametrize("strict", [False, True])
async def test_a_client_that_reports_no_resources(open_world: OpenWorld, strict: bool) -> None:
    world = open_world(farm={"strict_resources": strict})
    async with world.connected() as socket, world.events():
        large = await world.create(requirements={"min_gpu_memory": 1})
        least = await world.create(requirements={"min_gpu_memory": 0, "min_cpu_cores": 1, "min_ram": 1})
        socket.say("task_request")
        assert (await socket.hear())["data"]["id"] == (least if strict else large)


@pytest.mark.parametrize("word", ["progress", "running", None])
async def test_a_client_that_comes_back_and_asks_for_work_has_what_it_speaks_of(world: World, word: str | None) -> None:
    async with world.connected() as socket:
        task_id = await world.given(socket)
    async with world.connected() as socket, world.connected("other") as other, world.events():
        other.send({"type": "task_request"})
        socket.say("heartbeat", **({"running": [task_id]} if word == "running" else {}))
        if word == "progress":
            await world.reported(socket, task_id, 5)
        await world.settle()
        assert (await world.task(task_id))["status"] == "running", "a heartbeat says nothing of it"
        socket.say("task_request")
        if word is None:  # it was started anew: another client is given what it had
            assert (await other.hear())["data"]["config"]["attempt"] == 2
        await world.settle()
        assert socket.silent
        assert other.silent


async def test_a_client_that_was_started_anew_is_not_held_up_by_what_it_was_to_stop(world: World) -> None:
    async with world.connected() as socket, world.connected("other") as other, world.events():
        stopped, removed = await world.given(socket), await world.given(other)
        await socket.drop()
        await other.drop()
        await world.put(stopped, "stopped")
        await world.call("DELETE", f"/tasks/{removed}")
        for name in (CLIENT, "other"):
            async with world.connected(name) as anew:
                await world.settle()
                while not anew.silent:
                    assert (await anew.hear())["action"] == "stop"
                await world.given(anew)


async def test_a_new_connection_replaces_the_old_one_and_keeps_the_task(world: World) -> None:
    async with world.events(), world.connected() as old:
        task_id = await world.given(old)
        async with world.connected() as new:
            with pytest.raises(Closed) as closed:
                await old.hear()
            assert (closed.value.code, closed.value.reason) == (1008, "replaced")
            new.say("task_result", task_id=task_id, status="completed")
            assert (await new.hear())["received"] is True


async def test_a_client_that_was_unregistered_is_sent_away_and_may_come_back(world: World) -> None:
    async with world.connected() as socket:
        (client,) = await world.services.servers.all()
        await world.services.servers.unregister(client.id)
        socket.say("heartbeat")
        with pytest.raises(Closed) as closed:
            await socket.hear()
        assert closed.value.code == 1001
    async with world.connected() as socket:
        await world.given(socket)


async def test_a_paused_task_that_is_handed_back_stays_paused(world: World) -> None:
    async with world.connected() as socket, world.events():
        task_id = await world.given(socket)
        await world.put(task_id, "paused")
        assert (await socket.hear())["action"] == "pause"
        socket.say("task_result", task_id=task_id, status="stopped", checkpoint_path="/shared/3")
        assert (await socket.hear())["received"] is True
        assert (await world.task(task_id))["status"] == "paused"
        assert (await world.put(task_id, "running")).json()["status"] == "pending"
        async with world.connected("other") as other:
            other.say("task_request")
            assert (await other.hear())["data"]["config"]["checkpoint_path"] == "/shared/3"


async def test_a_gateway_that_stops_sends_its_clients_away(world: World) -> None:
    socket = world.socket()
    await socket.opened()
    await world.gateway.drain(1.0)
    with pytest.raises(Closed) as closed:
        await socket.hear()
    assert closed.value.code == 1001
