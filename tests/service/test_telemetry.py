"""The fleet's load: one reader of the store for all followers."""

import asyncio

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import NotFound, Unavailable
from dispatcher.domain.telemetry import Timeframe, newest
from dispatcher.service.telemetry import EVERY_S, Telemetry
from dispatcher.store.memory import MemoryStore
from tests.store.world import World, new_server


class Ticking:
    """A pause that lasts until the test moves the clock on."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.pauses: list[float] = []
        self._over = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._over.clear()
        await self._over.wait()

    async def tick(self, late_ms: int = 0) -> None:
        self.clock.advance(round(self.pauses[-1] * 1_000) + late_ms)
        self._over.set()
        for _ in range(5):
            await asyncio.sleep(0)


class Fleet:
    def __init__(self, world: World) -> None:
        self.world = world
        self.ticking = Ticking(world.clock)
        self.reads = 0
        self.fails = False
        store = world.store
        read = store.servers.all

        async def counted() -> object:
            self.reads += 1
            if self.fails:
                raise Unavailable("The store cannot be reached")
            return await read()

        store.servers.all = counted  # type: ignore[method-assign, assignment]
        self.telemetry = Telemetry(
            store.telemetry, store.servers, store.tasks, clock=world.clock, sleep=self.ticking.sleep
        )


async def _nothing() -> None:
    """The in-memory store looks at the clock itself."""


@pytest.fixture
def fleet() -> Fleet:
    clock = ManualClock()
    return Fleet(World(MemoryStore(clock), clock, _nothing))


async def test_a_snapshot_has_the_load_and_the_running_tasks(fleet: Fleet) -> None:
    await fleet.world.given_server("s1")
    await fleet.world.running("t1", "s1")
    await fleet.world.beat("s1", metrics='{"cpu":45}')
    seen = await fleet.telemetry.latest()
    assert [(s.id, newest(s).usage.cpu, newest(s).at_ms) for s in seen.servers] == [("s1", 45.0, fleet.world.now)]
    assert [task.id for task in seen.running["s1"]] == ["t1"]


async def test_many_followers_cost_one_read_each_five_seconds(fleet: Fleet) -> None:
    with fleet.telemetry.follow() as one:
        first = await one.next()
        with fleet.telemetry.follow() as two:
            assert await two.next() is first  # at once, without a read
            for n in (2, 3):
                await fleet.ticking.tick()
                assert await one.next() is await two.next()
                assert fleet.reads == n
    assert fleet.ticking.pauses == [EVERY_S] * 3
    await asyncio.sleep(0)


async def test_a_follower_that_comes_later_gets_no_old_picture(fleet: Fleet) -> None:
    with fleet.telemetry.follow() as one:
        await one.next()
    await fleet.world.given_server("s1")
    with fleet.telemetry.follow() as two:
        assert [s.id for s in (await two.next()).servers] == ["s1"]
    await asyncio.sleep(0)


async def test_a_late_round_shortens_the_next_pause(fleet: Fleet) -> None:
    with fleet.telemetry.follow() as one:
        await one.next()
        await fleet.ticking.tick(late_ms=300)
        assert fleet.ticking.pauses[-1] == pytest.approx(EVERY_S - 0.3)
        await fleet.ticking.tick(late_ms=20_000)
        assert fleet.ticking.pauses[-1] == 0.0
    await asyncio.sleep(0)


async def test_an_outage_ends_with_the_store_s_return(fleet: Fleet) -> None:
    fleet.fails = True
    with fleet.telemetry.follow() as one:
        await asyncio.sleep(0)
        fleet.fails = False
        waiting = asyncio.create_task(one.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        await fleet.ticking.tick()
        assert (await waiting).servers == []
    await asyncio.sleep(0)


async def test_a_fault_of_ours_ends_nothing(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise ValueError

    with monkeypatch.context() as patched:
        patched.setattr(fleet.world.store.tasks, "running", broken)
        with fleet.telemetry.follow() as one:
            for _ in range(5):
                await asyncio.sleep(0)
            patched.undo()
            await fleet.ticking.tick()
            async with asyncio.timeout(1):
                assert (await one.next()).servers == []
    await asyncio.sleep(0)


async def test_a_window_in_figures(fleet: Fleet) -> None:
    world = fleet.world
    await world.store.servers.put(new_server("s1", max_concurrent=9))
    for gpu, tasks in ((20, 3), (60, 1)):
        await world.beat("s1", metrics=f'{{"gpu":{gpu}}}')
        for _ in range(tasks):
            task_id = world.fresh("t")
            await world.given_task(task_id)
            await world.store.tasks.cancel(task_id, origin="native", owner=None)
        await world.advance(60_000)
    window = await fleet.telemetry.window(Timeframe.HOUR, "native")
    assert (len(window.buckets), window.counts.created, window.counts.cancelled) == (60, 4, 4)
    assert window.gpu is not None
    assert (window.gpu.average, window.gpu.peak, window.gpu.minimum) == (40.0, 60.0, 20.0)
    assert (window.memory, window.peak_per_minute) == (None, 0)


async def test_samples_of_what_cannot_exist(fleet: Fleet) -> None:
    with pytest.raises(NotFound):
        await fleet.telemetry.samples("no such/id")
