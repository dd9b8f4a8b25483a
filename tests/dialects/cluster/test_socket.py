"""The events over `/ws`: all six, to whom, and how a socket ends."""

import asyncio
from typing import Any

import pytest

from dispatcher.dialects.cluster.cluster import cluster_dialect
from dispatcher.dialects.cluster.socket import SEAT_MS, SocketLimits
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.principal import Role
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.server import ServerHealth
from dispatcher.web.gateway import gateway as web_gateway
from dispatcher.web.health import Health
from tests.dialects.cluster.world import GB, OpenWorld, World
from tests.dialects.farm.world import Closed, Denied, Socket


class Pauses:
    """Waits of the program that a test lets pass."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    async def __call__(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seconds, future))
        await future

    def release(self, least: float = 0.0, most: float = 3600.0) -> None:
        """End the waits that are so long."""
        for entry in [one for one in self._waiting if least <= one[0] <= most]:
            self._waiting.remove(entry)
            if not entry[1].done():
                entry[1].set_result(None)


class Watched(World):
    """A world whose looks at the fleet, and keeping of seats, happen when a test says so."""

    def __init__(self, limits: SocketLimits | None = None, **sections: Any) -> None:
        super().__init__(**sections)
        self.pauses = Pauses()
        made = self.dialect("required")
        dialect = cluster_dialect(
            self.services,
            made._gate,
            self.clock,
            health=Health(self.store.coordination, self.clock, gateway="gw_1", version="1"),
            pause=self.pauses,
            socket_limits=limits,
        )
        self.gateway.asgi = web_gateway({"/cluster": dialect.mount(), "": self.dialect_of("native")}, clock=self.clock)

    def dialect_of(self, name: str) -> Any:
        return self.gateway.dialects[name, "required"].mount()

    async def look(self) -> None:
        """The gateway looks at the fleet."""
        self.pauses.release(most=1.0)
        await self.settle()

    async def keep_seats(self) -> None:
        self.pauses.release(least=2.0)
        await self.settle()


@pytest.fixture
async def watched() -> Any:
    world = Watched()
    await world.worker()
    yield world
    await world.close()


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


# ---- coming in


@pytest.mark.parametrize("caller", [None, "garbage"])
async def test_without_a_good_key_it_is_closed(world: World, caller: str | None) -> None:
    socket = world.socket(caller)
    await socket.opened()
    with pytest.raises(Closed) as closed:
        await socket.hear()
    assert closed.value.code == 1008


async def test_the_key_may_come_as_a_subprotocol(world: World) -> None:
    await world.key("k", Role.CLIENT)
    socket = world.socket(None, protocols=("bearer", world.tokens["k"]))
    assert (await socket.opened())["subprotocol"] == "bearer"
    await socket.drop()


async def test_the_key_in_the_query_counts_only_where_it_may(open_world: OpenWorld) -> None:
    for allowed in (False, True):
        world = open_world(cluster={"key_in_query": allowed})
        await world.key("k", Role.CLIENT)
        socket = world.socket(None, query=f"api_key={world.tokens['k']}")
        await socket.opened()
        if allowed:
            await socket.drop()
            continue
        with pytest.raises(Closed):
            await socket.hear()


async def test_the_eleventh_socket_is_refused(world: World) -> None:
    sockets = [world.socket() for _ in range(10)]
    for socket in sockets:
        await socket.opened()
    with pytest.raises(Denied) as denied:
        await world.socket().opened()
    assert (denied.value.status, denied.value.body["code"], denied.value.body["reason"]) == (429, 429, "RATE_LIMITED")
    assert denied.value.headers["retry-after"]
    other = world.socket("b")
    await other.opened()
    await sockets.pop().drop()
    sockets += [world.socket(), other]
    await sockets[-2].opened()
    for socket in sockets:
        await socket.drop()


async def test_a_seat_is_kept_and_a_dead_gateways_is_free_again(watched: Watched) -> None:
    coordination = watched.store.coordination
    for number in range(9):
        assert await coordination.take_seat("default/a", f"dead{number}", most=10, lives_ms=SEAT_MS)
    async with watched.listening():
        for _ in range(2):
            watched.clock.advance(SEAT_MS // 2)
            await watched.keep_seats()
        taken = [await coordination.take_seat("default/a", f"s{number}", most=10, lives_ms=1) for number in range(10)]
    assert taken == [True] * 9 + [False]


async def test_a_handshake_counts_as_a_call(open_world: OpenWorld) -> None:
    world = open_world(cluster={"requests": 1})
    await world.get("/workers")
    with pytest.raises(Denied) as denied:
        await world.socket().opened()
    assert (denied.value.status, denied.value.headers["x-ratelimit-limit"]) == (429, "1")


async def test_a_revoked_key_ends_its_socket(watched: Watched) -> None:
    key_id = await watched.key("k", Role.CLIENT)
    socket = watched.socket("k")
    await socket.opened()
    await watched.settle()
    await watched.keep_seats()
    assert socket.silent
    await watched.store.keys.revoke(key_id)
    await watched.keep_seats()
    with pytest.raises(Closed) as closed:
        await socket.hear()
    assert closed.value.code == 1008


async def test_what_a_client_says_is_not_listened_to_but_bounded(world: World) -> None:
    socket = world.socket()
    await socket.opened()
    socket.send({"type": "whatever"})
    await world.settle()
    assert socket.silent
    socket.send_raw({"type": "websocket.receive", "text": "x" * 65_537})
    with pytest.raises(Closed) as closed:
        await socket.hear()
    assert closed.value.code == 1009


async def test_a_slow_reader_is_closed() -> None:
    world = Watched(SocketLimits(queue=1))
    await world.worker()
    async with world.events():
        socket = world.socket(reads=2)
        await socket.opened()
        for _ in range(6):
            await world.done(after_ms=1)
            await world.settle()
        async for _ in socket:
            pass
    assert socket.closed_with == 1013
    await world.close()
