"""Several gateways on one in-memory store, in simulated time."""

import asyncio
import heapq
import random
from collections import Counter
from itertools import count

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.failure import Accepted, Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.server import Endpoints, NewServer, Server
from dispatcher.domain.transitions import TaskState
from dispatcher.loops.renew import Renew
from dispatcher.service.dispatch import Dispatch, DispatchOptions
from dispatcher.service.duties import Duties
from dispatcher.service.latencies import Latencies
from dispatcher.service.servers import Servers
from dispatcher.service.submit import Submit
from dispatcher.service.waits import Waits
from dispatcher.store.memory import MemoryStore
from tests.service.fakes import FakeForwarder, a_new_task

WAYS = {
    Verdict.COMPLETED: 80,
    Verdict.FAILED: 3,
    Verdict.FAILURE: 6,
    Verdict.BUSY: 5,
    Verdict.NOT_SENT: 3,
    Verdict.LOST: 2,
    Verdict.RELEASED: 1,
}


class World:
    """A clock that moves when all work has come to rest, servers that take time, and gateways."""

    def __init__(self, seed: int, *, gateways: int, servers: int, slots: int, faulty: bool) -> None:
        self.clock = ManualClock()
        self.rng = random.Random(seed)
        self.store = MemoryStore(self.clock)
        self.slots, self.faulty = slots, faulty
        self.names = [f"s{n}" for n in range(servers)]
        self.running: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.most = 0
        self._timers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = count()
        self.gateways = [Member(self, f"gw_{n}") for n in range(gateways)]

    async def register(self) -> None:
        for name in self.names:
            endpoints = Endpoints(f"http://{name}/predict")
            await self.store.servers.put(NewServer(name, "native", name, endpoints, Offer(), b"", self.slots))

    async def sleep(self, seconds: float) -> None:
        due: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._timers, (self.clock.now_ms() + round(seconds * 1000), next(self._number), due))
        await due

    async def serve(self, grant: Grant, server: Server) -> Outcome | Accepted:
        self.running[server.id] += 1
        self.served[server.id] += 1
        self.most = max(self.most, self.running[server.id])
        try:
            await self.sleep(self.rng.uniform(0.01, 0.4))
        finally:
            self.running[server.id] -= 1
        verdict = self.rng.choices(list(WAYS), list(WAYS.values()))[0] if self.faulty else Verdict.COMPLETED
        return Outcome(verdict, b"{}", f"{grant.task_id}:{verdict}", code="X", slot_free=verdict is not Verdict.LOST)

    async def submit(self, number: int) -> None:
        submit = self.rng.choice(self.gateways).submit
        await submit.create(a_new_task(f"t{number}"), rate=None, key=None)

    async def settle(self) -> None:
        for _ in range(60):
            await asyncio.sleep(0)

    async def advance(self, ms: int, step_ms: int = 10) -> None:
        for _ in range(0, ms, step_ms):
            self.clock.advance(step_ms)
            while self._timers and self._timers[0][0] <= self.clock.now_ms():
                due = heapq.heappop(self._timers)[2]
                if not due.done():
                    due.set_result(None)
            await self.settle()

    async def second(self) -> None:
        for gateway in self.gateways:
            await self.advance(1_000 // len(self.gateways))
            for name in self.names:
                await self.store.servers.probed(name, True)
            await gateway.duties.run()
            await gateway.renew.run_once()

    async def live(self) -> int:
        return sum((await self.store.stats.waiting("native", None, None)).values())


class Member(FakeForwarder):
    """One gateway; its calls go to the servers of the world."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__()
        self.world = world
        store, waits, clock = world.store, Waits(), world.clock
        self.dispatch = Dispatch(
            store.tasks,
            store.servers,
            self,
            waits,
            Latencies(),
            clock=clock,
            rng=world.rng,
            gateway=name,
            options=DispatchOptions(),
            sleep=world.sleep,
        )
        self.submit = Submit(store.tasks, self.dispatch, waits, gateway=name, clock=clock)
        servers = Servers(store.servers, store.stats, self)
        self.duties = Duties(store.tasks, servers, self.dispatch, gateway=name, clock=clock)
        self.renew = Renew(store.tasks, self.dispatch, gateway=name, lease_ms=15_000)

    async def predict(self, grant: Grant, server: Server, *, remaining_ms: int) -> Outcome | Accepted:
        if self.gate is not None:
            await self.gate.wait()
        return await self.world.serve(grant, server)


async def test_every_task_ends_once_whatever_the_servers_do() -> None:
    for seed in range(4):
        world = World(seed, gateways=3, servers=4, slots=3, faulty=True)
        await world.register()
        for number in range(150):
            await world.submit(number)
            if number % 10 == 0:
                await world.advance(50)
        for _ in range(300):
            if not await world.live():
                break
            await world.second()
        assert await world.live() == 0
        total = await world.store.stats.totals("native", None)
        assert total.created == total.ended == 150
        assert total.completed > 100
        assert world.most <= world.slots, "no server ever sees more requests than it has slots"
        assert [gateway.dispatch.held() for gateway in world.gateways] == [[], [], []]
        for _ in range(16):
            await world.second()  # a slot of a lost attempt ends with its lease
        assert [server.active for server in await world.store.servers.all()] == [0] * 4, "no slot is left behind"


async def test_gateways_share_one_turn() -> None:
    world = World(1, gateways=3, servers=4, slots=100, faulty=False)
    await world.register()
    for number in range(400):
        await world.submit(number)
        await world.advance(10)
    await world.second()
    assert await world.live() == 0
    assert all(abs(served - 100) <= 1 for served in world.served.values()), world.served


async def test_a_burst_never_overfills_a_server_and_all_of_it_completes() -> None:
    world = World(2, gateways=3, servers=4, slots=3, faulty=False)
    await world.register()
    await asyncio.gather(*(world.submit(number) for number in range(500)))
    for _ in range(60):
        await world.second()
    tasks = [(await world.store.tasks.get(f"t{number}"))[0] for number in range(500)]
    assert {task.state for task in tasks if task} == {TaskState.COMPLETED}
    assert world.most == 3
    assert sum(world.served.values()) == 500, "each was sent once"


async def test_a_gateway_that_drains_leaves_its_work_to_the_others() -> None:
    world = World(3, gateways=2, servers=2, slots=3, faulty=False)
    await world.register()
    for number in range(40):
        await world.submit(number)
    await world.settle()
    leaving = world.gateways.pop()
    assert leaving.dispatch.held()
    await leaving.dispatch.drain(0)
    assert leaving.dispatch.held() == []
    for _ in range(40):
        await world.second()
    assert await world.live() == 0
    total = await world.store.stats.totals("native", None)
    assert (total.completed, total.attempt_failures) == (40, 0), "handing back costs nothing"


async def test_what_a_silent_gateway_held_is_done_by_others_and_its_late_word_is_refused() -> None:
    world = World(4, gateways=2, servers=2, slots=3, faulty=False)
    await world.register()
    silent = world.gateways.pop()
    silent.gate = asyncio.Event()
    dispatch = silent.dispatch
    for number in range(3):
        created = await world.store.tasks.create(a_new_task(f"t{number}"), gateway="gw_1")
        assert created.candidates is not None
        dispatch.start(created.task_id, Demand().lane, created.turn, created.candidates)
    await world.settle()
    assert len(dispatch.held()) == 3
    for _ in range(25):
        await world.second()  # the leases end: nobody renews them
    done = [(await world.store.tasks.get(f"t{number}"))[0] for number in range(3)]
    assert {(task.state, task.fence, task.losses) for task in done if task} == {(TaskState.COMPLETED, 2, 1)}
    silent.gate.set()
    await world.advance(1_000)
    assert dispatch.held() == []
    assert [(await world.store.tasks.get(f"t{number}"))[0] for number in range(3)] == done
