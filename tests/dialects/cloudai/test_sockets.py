"""The sockets: telemetry for all who follow, logs as they come."""

import asyncio
from typing import Any

import pytest
from starlette.routing import WebSocketRoute

from dispatcher.dialects.cloudai.sockets import SocketLimits
from dispatcher.dialects.cloudai.telemetry_socket import Pictures
from dispatcher.domain.errors import Overrun, Unavailable
from dispatcher.domain.principal import Owner, Principal, Role
from dispatcher.service.telemetry import Snapshot
from dispatcher.web.sockets import Seats
from tests.dialects.cloudai.world import NOBODY, WORKER, World
from tests.dialects.sockets import Closed, Socket


class Ticks:
    """The 5 s between two snapshots, which pass when the test says so."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self._world = world
        self._passed = asyncio.Event()
        self.slept: list[float] = []
        monkeypatch.setattr(world.services.telemetry, "_sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._passed.clear()
        await self._passed.wait()

    async def tick(self) -> None:
        self._world.clock.advance(5_000)
        self._passed.set()
        await self._world.settle()


@pytest.fixture
def ticks(world: World, monkeypatch: pytest.MonkeyPatch) -> Ticks:
    return Ticks(world, monkeypatch)


def socket_app(world: World, path: str) -> Any:
    (app,) = (
        route.app
        for route in world.dialect("required")._router.routes
        if isinstance(route, WebSocketRoute) and route.path == path
    )
    return app


async def close_of(socket: Socket) -> int:
    with pytest.raises(Closed) as closed:
        await socket.hear()
    return closed.value.code


async def test_telemetry_at_once_and_every_five_seconds(world: World, ticks: Ticks) -> None:
    await world.ready()
    async with world.connected("/ws/telemetry") as socket:
        first = (await socket.hear())["workers"][WORKER]
        assert (first["cpu_usage"], first["total_resources"]["cpu"], first["running_tasks"]) == (45.2, 8.0, [])
        await world.settle()
        assert socket.silent
        await world.running()
        await world.beat(usage={"cpu": 90, "memory": 1, "gpu": 0})
        await ticks.tick()
        second = (await socket.hear())["workers"][WORKER]
        assert (second["cpu_usage"], second["allocated_resources"]["cpu"], len(second["running_tasks"])) == (90, 1, 1)
        assert [round(seconds) for seconds in ticks.slept] == [5, 5]


async def test_the_store_is_read_once_however_many_follow(
    world: World, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, read = [], world.store.servers.all

    async def counted() -> object:
        reads.append(1)
        return await read()

    monkeypatch.setattr(world.store.servers, "all", counted)
    sockets = [world.socket(f"/ws/telemetry{path}") for path in ("", "", f"/{WORKER}")]
    for socket in sockets:
        await socket.opened()
        await socket.hear()
    assert len(reads) == 1
    await ticks.tick()
    for socket in sockets:
        await socket.hear()
        await socket.drop()
    assert len(reads) == 2


async def test_a_worker_that_is_not_there_yet_appears(world: World, ticks: Ticks) -> None:
    await world.register("worker-2")
    async with world.connected(f"/ws/telemetry/{WORKER}") as socket:
        assert await socket.hear() == {"workers": {}}
        await world.ready()
        await ticks.tick()
        assert list((await socket.hear())["workers"]) == [WORKER]


async def test_viewers_see_their_own_tasks(world: World, ticks: Ticks) -> None:
    await world.ready()
    task_id, _ = await world.running("a")
    for caller, seen in (("a", [task_id]), ("b", []), ("admin", [task_id]), ("worker", [])):
        async with world.connected("/ws/telemetry", caller) as socket:
            running = (await socket.hear())["workers"][WORKER]["running_tasks"]
            assert [task["task_id"] for task in running] == seen, caller


async def test_a_text_is_made_once_for_all_who_see_the_same(world: World) -> None:
    await world.ready()
    task_id, _ = await world.running("a")
    pictures, snapshot = Pictures(), await world.services.telemetry.latest()
    roles = frozenset({Role.CLIENT})
    a, b = (Principal(Owner("default", sub), roles) for sub in "ab")
    text = pictures.text(snapshot, a, None)
    assert pictures.text(snapshot, Principal(a.owner, roles), None) is text
    others = [
        pictures.text(snapshot, viewer, only)
        for viewer, only in ((b, None), (a, "x"), (Principal(Owner("other", "a"), roles), None))
    ]
    assert task_id in text
    assert not any(task_id in other for other in others)
    assert task_id in pictures.text(snapshot, Principal(b.owner, frozenset({Role.ADMIN})), None)
    assert pictures.text(Snapshot(0, (), {}), a, None) == '{"workers":{}}'


async def test_a_socket_ends_with_its_token(world: World) -> None:
    world.tokens["short"] = world._issue("a", ["client"], 1, "default", None)
    world.clock.advance(995)
    async with world.connected("/ws/telemetry", "short") as socket:
        await socket.hear()
        assert await close_of(socket) == 4401


async def test_so_many_sockets_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_app(world, "/ws/telemetry")._door, "_seats", Seats(1))
    async with world.connected("/ws/telemetry") as first:
        await first.hear()
        async with world.connected("/ws/telemetry") as second:
            assert await close_of(second) == 1008
        async with world.connected("/ws/telemetry", "b") as other:
            await other.hear()


async def test_a_log_before_while_and_until_the_end(world: World) -> None:
    await world.ready()
    task_id, grant = await world.running(user_id="ann")
    await world.say(grant, "one", "two")
    async with world.connected(f"/ws/tasks/{task_id}/logs") as socket:
        assert (await socket.hear())["user_id"] == "ann"
        assert [(await socket.hear())["line"] for _ in range(2)] == ["one", "two"]
        await world.say(grant, "three", first=3)
        assert await socket.hear() == {"type": "log", "line": "three", "task_id": task_id}
        await world.fail(grant)
        last = await socket.hear()
        message = "Task completed with status: failed"
        assert last == {"type": "complete", "task_id": task_id, "status": "failed", "message": message}
        assert await close_of(socket) == 1000


async def test_many_lines_keep_their_order(world: World) -> None:
    await world.ready()
    task_id, grant = await world.running()
    lines = [str(n) for n in range(2_500)]
    for start in range(0, 2_500, 500):
        await world.say(grant, *lines[start : start + 500], first=start + 1)
    await world.end(grant)
    async with world.connected(f"/ws/tasks/{task_id}/logs") as socket:
        await socket.hear()
        assert [(await socket.hear())["line"] for _ in lines] == lines
        assert (await socket.hear())["type"] == "complete"


async def test_a_task_that_is_not_there(world: World) -> None:
    async with world.connected(f"/ws/tasks/{NOBODY}/logs") as socket:
        assert (await socket.hear())["type"] == "error"
        assert await close_of(socket) == 1008


@pytest.mark.parametrize(
    ("error", "code"), [(Overrun("Too slow"), 1013), (Unavailable("This gateway is shutting down"), 1013)]
)
async def test_a_log_that_breaks_off_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    await world.ready()
    task_id, _ = await world.running()
    async with world.connected(f"/ws/tasks/{task_id}/logs") as socket:
        await socket.hear()
        await world.settle()
        world.services.logs._tails._logs[task_id].fail(error)  # type: ignore[arg-type]
        assert await socket.hear() == {"type": "error", "task_id": task_id, "error": str(error)}
        assert await close_of(socket) == code


async def test_who_reads_nothing_is_let_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.ready()
    task_id, grant = await world.running()
    await world.say(grant, *map(str, range(300)))
    app = socket_app(world, "/ws/tasks/{id}/logs")
    monkeypatch.setattr(app, "_stall_s", 0.01)
    monkeypatch.setattr(app._door, "_limits", SocketLimits(farewell_s=0.01))
    socket = world.socket(f"/ws/tasks/{task_id}/logs", reads=5)
    async with asyncio.timeout(5):
        await asyncio.wait({socket._running})
    assert len(world.services.logs._tails) == 0
