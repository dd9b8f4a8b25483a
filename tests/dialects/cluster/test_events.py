"""The events over `/ws`: all six, and to whom."""

from typing import Any

import pytest

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.server import ServerHealth
from tests.dialects.cluster.watched import Watched
from tests.dialects.cluster.world import GB, World
from tests.dialects.farm.world import Socket


async def heard(socket: Socket) -> list[dict[str, Any]]:
    """All that was said so far."""
    found = []
    while not socket.silent:
        found.append(await socket.hear())
    return found


async def test_ends_of_tasks_are_told_to_their_owners(watched: World) -> None:
    listening = watched.listening
    async with watched.events(), listening("a") as mine, listening("b") as other, listening("admin") as admin:
        await watched.done()
        failed = await watched.done(error="no")
        cancelled = await watched.submit()
        await watched.call("DELETE", f"/tasks/{cancelled}")
        await watched.settle()
        told = await heard(mine)
        assert [message["event"] for message in told] == ["task_completed", "task_failed"]
        assert told[1]["data"] == {
            "task_id": failed, "worker_id": "worker-001", "duration": "3.2s", "success": False, "error": "no",
        }  # fmt: skip
        assert await heard(admin) == told
        assert await heard(other) == []


async def test_tasks_of_other_apis_are_not_told(watched: World) -> None:
    body = {"type": "t", "priority": 5, "payload": {}, "capabilities": []}
    async with watched.events(), watched.listening("admin") as socket:
        made = await watched.call("POST", "/api/task", "admin", body, prefix="")
        assert (await watched.call("POST", f"/api/task/{made.json()['id']}/cancel", "admin", prefix="")).is_success
        await watched.settle()
        assert await heard(socket) == []


async def test_models_and_rebalances_are_told_to_all(watched: World) -> None:
    async with watched.events(), watched.listening("a") as socket:
        for model in ("one", "two"):
            await watched.loaded("worker-001", model, 6.5)
        assert (await watched.post("/cluster/rebalance", {}))["status"] == "completed"  # nothing to do
        await watched.worker("worker-002")
        begun = await watched.post("/cluster/rebalance", {"strategy": "load_balanced"})
        await watched.post("/cluster/rebalance", {"dry_run": True})
        await watched.settle()
        loaded, _, started = await heard(socket)
        assert loaded["event"] == "model_loaded"
        assert loaded["data"] == {
            "model_name": "one", "worker_id": "worker-001", "load_time": "45s", "memory_usage": "6.5GB",
        }  # fmt: skip
        assert started["event"] == "cluster_rebalance_started"
        assert started["data"] == {
            "rebalance_id": begun["rebalance_id"],
            "strategy": "load_balanced",
            "affected_workers": begun["affected_workers"],
        }


async def test_the_status_of_workers(watched: Watched) -> None:
    async with watched.listening() as socket:
        changes: list[tuple[str, str, str, str]] = []

        async def looked() -> None:
            await watched.look()
            for message in await heard(socket):
                assert (message["event"], message["timestamp"][-1]) == ("worker_status_changed", "Z")
                changes.append(tuple(message["data"].values()))

        await looked()
        await watched.worker("w2", slots=1)
        await looked()
        await watched.submit()
        grant = await watched.taken("w2")
        await looked()
        await watched.ended(grant, after_ms=1)
        await looked()
        await watched.beat("w2", health=ServerHealth.UNHEALTHY)
        await looked()
        await watched.beat("w2")
        await watched.services.servers.set_maintenance("worker-001", True, "")
        await looked()
        await watched.services.servers.set_maintenance("worker-001", False, "")
        await looked()
        await watched.post("/workers/worker-001/restart")
        await looked()
        await watched.later(40_000)
        await looked()
        for left in (True, False):
            await watched.store.servers.connect("w2", "s", "gw_1")
            await looked()
            await watched.store.servers.disconnect("w2", "s", left=left)
            await watched.later(40_000)
            await looked()
        await watched.store.servers.connect("w2", "s", "gw_1")
        await looked()
        await watched.services.servers.unregister("w2")
        await looked()
    assert changes == [
        ("w2", "offline", "online", "registered"),
        ("w2", "online", "busy", "slots_taken"),
        ("w2", "busy", "online", "slots_free"),
        ("w2", "online", "error", "unhealthy"),
        ("worker-001", "online", "offline", "maintenance"),
        ("w2", "error", "online", "recovered"),
        ("worker-001", "offline", "online", "connected"),
        ("worker-001", "online", "offline", "restart"),
        ("w2", "online", "offline", "heartbeat_timeout"),
        ("w2", "offline", "online", "connected"),
        ("w2", "online", "offline", "left"),
        ("w2", "offline", "online", "connected"),
        ("w2", "online", "offline", "heartbeat_timeout"),
        ("w2", "offline", "online", "connected"),
        ("w2", "online", "offline", "unregistered"),
    ]


async def test_a_hot_or_full_gpu_is_told_once(watched: Watched) -> None:
    async def at(temperature: float, used: float) -> list[dict[str, Any]]:
        gpu = {"temperature": temperature, "memory_used": used * GB, "memory_total": 24 * GB, "utilization": 100}
        await watched.beat("worker-001", {"gpus": [{"temperature": 50}, gpu]})
        await watched.look()
        return [message["data"] for message in await heard(socket)]

    async with watched.listening() as socket:
        hot = {"worker_id": "worker-001", "type": "temperature", "value": 92, "threshold": 90, "gpu": 1}
        assert await at(90, 20) == []
        assert await at(92, 20) == [hot]
        assert await at(95, 23.5) == [{**hot, "type": "memory", "value": 97.9, "threshold": 95}]
        assert await at(60, 20) == []
        assert await at(92, 20) == [hot]


async def test_an_event_that_cannot_be_told_silences_no_other(watched: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = watched.store.tasks.get, 0

    async def broken(*args: Any, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise RuntimeError("once")
        return await real(*args, **more)

    async with watched.events(), watched.listening() as socket:
        grants = []
        for _ in range(2):
            await watched.submit()
            grants.append(await watched.taken())
        for grant in grants:
            by, outcome = ByHolder(grant.server_id, grant.fence), Outcome(Verdict.COMPLETED, b"1", "d")
            await watched.store.tasks.finish(grant.task_id, by, outcome, gateway="gw_1", retry_delay_ms=0)
        monkeypatch.setattr(watched.store.tasks, "get", broken)
        await watched.settle()
        assert [message["data"]["task_id"] for message in await heard(socket)] == [grants[1].task_id]


async def test_nothing_is_looked_at_while_nobody_listens(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    real = watched.store.servers.all

    async def counted() -> Any:
        nonlocal looks
        looks += 1
        return await real()

    monkeypatch.setattr(watched.store.servers, "all", counted)
    async with watched.listening(), watched.listening("b"):
        await watched.look()
        assert looks == 2
    await watched.look()
    assert looks == 2
