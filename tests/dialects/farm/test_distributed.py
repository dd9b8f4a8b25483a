"""Tasks for several clients at once."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.dialects.farm.conftest import OpenWorld
from tests.dialects.farm.world import Socket, World

THREE = {"distributed": True, "n_clients": 3}


@asynccontextmanager
async def _team(world: World) -> AsyncIterator[tuple[str, list[Socket]]]:
    """A task of three clients, and the clients by their ranks."""
    async with AsyncExitStack() as stack:
        await world.gateway.presence.run_once()
        await stack.enter_async_context(world.events())
        sockets = [
            await stack.enter_async_context(world.connected(f"c{place}", address=f"10.0.0.{place}"))
            for place in range(3)
        ]
        task_id = await world.create(**THREE)
        for place, socket in enumerate(sockets):
            await world.settle()
            assert all(one.silent for one in sockets), f"{place} of 3 clients cannot begin"
            socket.say("task_request")
        by_rank: dict[int, Socket] = {}
        masters = set()
        for socket in sockets:
            message = await socket.hear()
            config = message["data"]["config"]
            assert (message["data"]["id"], config["world_size"], config["distributed"]) == (task_id, 3, True)
            masters.add((config["master_addr"], config["master_port"]))
            by_rank[config["rank"]] = socket
        assert sorted(by_rank) == [0, 1, 2]
        assert masters == {(f"10.0.0.{by_rank[0].client[1:]}", 29500)}
        yield task_id, [by_rank[rank] for rank in range(3)]


async def test_the_ranks_of_a_task(world: World) -> None:
    async with _team(world) as (task_id, sockets):
        for rank, socket in enumerate(sockets):
            socket.say("heartbeat", system_info={"gpu_usage": 30 * rank})
            await world.reported(socket, task_id, 10 * (rank + 1), metrics={"loss": rank})
        task = await world.task(task_id)
        assert (task["status"], task["progress"], task["metrics"]) == ("running", 20, {"loss": 0})
        assert task["n_clients"] == 3
        metrics = (await world.call("GET", f"/metrics/tasks/{task_id}?history=10")).json()
        assert metrics["resources"]["gpu_usage"] == 30
        assert sorted(point["rank"] for point in metrics["history"]) == [0, 1, 2]
        for rank, socket in enumerate(sockets):
            assert (await world.task(task_id))["status"] == "running"
            socket.say("task_result", task_id=task_id, status="completed", metrics={"final_loss": rank})
            assert (await socket.hear())["received"] is True
        done = await world.task(task_id)
        assert (done["status"], done["progress"], done["metrics"]["final_loss"]) == ("completed", 100, 0)


async def test_pause_resume_and_stop_reach_all_of_them(world: World) -> None:
    async with _team(world) as (task_id, sockets):
        for status, action in (("paused", "pause"), ("running", "resume"), ("stopped", "stop")):
            await world.put(task_id, status)
            assert [(await socket.hear())["action"] for socket in sockets] == [action] * 3


async def test_one_that_fails_stops_the_others(world: World) -> None:
    async with _team(world) as (task_id, sockets):
        sockets[1].say("task_result", task_id=task_id, status="failed", error="no memory")
        assert (await sockets[1].hear())["received"] is True
        for socket in (sockets[0], sockets[2]):
            assert (await socket.hear())["action"] == "stop"
        assert (await world.task(task_id))["error"] == "no memory"


@pytest.mark.parametrize(("restart", "status"), [(True, "pending"), (False, "failed")])
async def test_one_that_is_lost_stops_the_others(open_world: OpenWorld, restart: bool, status: str) -> None:
    world = open_world(farm={"gang_restart": restart})
    async with _team(world) as (task_id, sockets):
        for _ in range(4):
            await world.later(10_000)
            for socket in sockets[:2]:
                socket.say("heartbeat")
            await world.settle()
        assert (await world.task(task_id))["status"] == status
        for socket in sockets[:2]:
            assert (await socket.hear())["action"] == "stop"
