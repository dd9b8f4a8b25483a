"""What tasks take of workers never exceeds what these have: 10,000 random tasks, workers that vanish and come back.

On a real store, many calls at once, in simulated time. All workers are looked at while the calls run; what is allocated
is compared with the tasks that run, by the store's own list and by ours, whenever nothing is under way.
"""

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import Conflict, DispatchError, NotFound
from dispatcher.domain.failure import Verdict
from dispatcher.domain.grant import Behind, Candidates, Grant, Granted
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import Server, Transport
from dispatcher.domain.transitions import TaskState
from dispatcher.store import StoreOptions
from tests.store import redis_factory
from tests.store.world import GATEWAY, LEASE_MS, ORIGIN, OWNER, World, held
from tests.support.redis_server import binaries, running

TASKS, WORKERS, AT_ONCE, WAITING_MOST = 10_000, 16, 24, 80
ROUND_MS, BEAT_MS, AWAY_MS = 100, 5_000, 20_000
SURE_MS = 2_000  # for the tick that comes each second
GB = 1 << 30
KINDS_OF_NEEDS = 30  # a tenant may have 32 that differ
ENDS = {Verdict.COMPLETED: 80, Verdict.FAILED: 5, Verdict.FAILURE: 10, Verdict.RELEASED: 5}
MODEL = Resources(memory=4 * GB)


def some_needs(rng: random.Random) -> Resources:
    return Resources(
        cpu=rng.choice([0.1, 0.25, 0.5, 1, 2, 3.7]), memory=rng.randrange(1, 12) * GB // 2,
        storage=rng.choice([0, GB]), gpu=rng.choice([0, 0, 0, 0.5, 1]),
    )  # fmt: skip


class Fleet:
    """What the workers and their gateway know: `grants` of those that live, `away` until when the others are."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = random.Random(seed)
        self.names = [f"s{number}" for number in range(WORKERS)]
        self.grants: dict[str, dict[str, Grant]] = {name: {} for name in self.names}
        self.away: dict[str, int] = {}
        self.back: dict[str, int] = {}  # since when; what was given to it while it was away ends with its lease
        self.ghosts: list[Grant] = []
        self.needs = [some_needs(self.rng) for _ in range(KINDS_OF_NEEDS)]
        self.created = 0
        self.crowded = False  # enough tasks wait
        self.samples = 0
        self.seen: Counter[str] = Counter()

    async def register(self, name: str) -> None:
        """The even ones are called, the odd ones fetch."""
        rng = random.Random(name)
        totals = Resources(
            cpu=rng.choice([4, 8, 16]),
            memory=rng.choice([16, 32, 64]) * GB,
            storage=100 * GB,
            gpu=rng.choice([0, 1, 4]),
        )
        transport = Transport.PULL if self.fetches(name) else Transport.PUSH
        await self.world.given_server(name, resources=totals, max_concurrent=12, transport=transport)
        await self.world.store.placements.loaded(name, "m", MODEL, 1_000)

    def fetches(self, name: str) -> bool:
        return self.names.index(name) % 2 == 1

    # ---- what happens at random

    async def act(self) -> None:
        living = [name for name in self.names if name not in self.away]
        name = self.rng.choice(living)
        match self.rng.choices(["create", "fetch", "end", "cancel", "late"], [4, 4, 6, 1, 1])[0]:
            case "create" if self.created < TASKS and not self.crowded:
                await self.create()
            case "fetch" if self.fetches(name):
                await self.fetch(name)
            case "fetch":
                await self.hand_on()
            case "end" if self.grants[name]:
                await self.end(name, self.rng.choice(list(self.grants[name])))
            case "cancel" if self.grants[name]:
                await self.cancel(name, self.rng.choice(list(self.grants[name])))
            case "late" if self.ghosts:
                with suppress(DispatchError):
                    await self.world.end(self.ghosts.pop(), Verdict.COMPLETED)

    async def create(self) -> None:
        self.created += 1
        created = await self.world.given_task(f"t{self.created}", needs=self.rng.choice(self.needs))
        await self.try_to_start(created.task_id, created.candidates)

    async def hand_on(self) -> None:
        """As a gateway does with those that wait though there is room."""
        for head in (await self.world.store.tasks.peek())[:2]:
            await self.try_to_start(head.task_id, head.candidates)

    async def try_to_start(self, task_id: str, candidates: Candidates | None) -> None:
        """Where there was room, and now and then where there may be none."""
        free = [server.server_id for server in candidates.free] if candidates else []
        anywhere = [name for name in self.names if not self.fetches(name)]
        if free or self.rng.random() < 0.2:
            name = self.rng.choice(free if free and self.rng.random() < 0.8 else anywhere)
            answer = await self.world.claim(task_id, name)
            self.seen[type(answer).__name__] += 1
            if isinstance(answer, Granted | Behind):
                self.take(answer.grant)

    async def fetch(self, name: str) -> None:
        fresh = self.world.fresh("c")
        with suppress(NotFound):
            grant = await self.world.store.tasks.claim_next(
                name, claim_id=fresh, nonce=f"n{fresh}", gateway=GATEWAY, lease_ms=LEASE_MS
            )
            if grant is not None:
                self.take(grant)

    def take(self, grant: Grant) -> None:
        self.seen["starts"] += 1
        if grant.server_id in self.away:  # killed meanwhile
            self.ghosts.append(grant)
        else:
            self.grants[grant.server_id][grant.task_id] = grant

    async def end(self, name: str, task_id: str) -> None:
        grant = self.grants[name].pop(task_id)
        want_next = None if self.fetches(name) else self.world.fresh("n")
        verdict = self.rng.choices(list(ENDS), list(ENDS.values()))[0]
        with suppress(Conflict, NotFound):  # of a worker that was killed meanwhile
            ended = await self.world.end(grant, verdict, want_next=want_next)
            self.seen[verdict] += 1
            if ended.grant is not None:
                self.take(ended.grant)

    async def cancel(self, name: str, task_id: str) -> None:
        grant = self.grants[name].pop(task_id)
        with suppress(Conflict, NotFound):
            await self.world.store.tasks.cancel(task_id, origin=ORIGIN, owner=OWNER)
        await self.world.store.tasks.free_slot(task_id, name, grant.fence)

    async def kill(self, name: str) -> None:
        """It vanishes with all that it runs; some are taken off the list as well."""
        self.seen["kills"] += 1
        self.ghosts.extend(self.grants[name].values())
        self.grants[name] = {}
        self.away[name] = self.world.now + AWAY_MS
        if self.rng.random() < 0.3:
            await self.world.store.servers.remove(name)

    async def come_back(self) -> None:
        for name in [name for name, until in self.away.items() if until <= self.world.now]:
            del self.away[name]
            self.back[name] = self.world.now
            await self.register(name)
            await self.world.beat(name, boot_id=self.world.fresh("boot"))

    async def beat(self) -> None:
        """Those that live say so, and what they run is kept."""
        for name in self.names:
            if name not in self.away:
                await self.world.store.servers.get(name)
                await self.world.store.tasks.renew(
                    [held(grant) for grant in self.grants[name].values()], gateway=GATEWAY, lease_ms=LEASE_MS
                )
                await self.world.store.servers.heartbeat(
                    name, health=(await self.world.store.servers.get(name)).health, active=None, metrics="{}",
                    running=list(self.grants[name]),
                )  # fmt: skip

    async def waiting(self) -> int:
        return (await self.world.store.stats.standing(ORIGIN, None))[""][TaskState.PENDING]

    # ---- what must hold

    async def sample(self) -> list[Server]:
        """At any instant."""
        servers = await self.world.store.servers.all()
        self.samples += len(servers)
        for server in servers:
            assert server.offer.resources is not None
            assert server.allocated.fits_in(server.offer.resources), server
        return servers

    async def compare(self) -> None:
        """While nothing is under way."""
        servers = await self.sample()
        listed = await self.world.store.tasks.running(self.names)
        for server in servers:
            of_store = sum((task.needs for task in listed[server.id]), MODEL)
            assert server.allocated == of_store, server.id
            if server.id not in self.away and self.world.now > self.back.get(server.id, 0) + LEASE_MS + SURE_MS:
                self.seen["compared"] += 1
                ours = sum((grant.needs for grant in self.grants[server.id].values()), MODEL)
                assert server.allocated == ours, server.id


async def history(fleet: Fleet) -> None:
    world, rounds = fleet.world, 0
    while fleet.created < TASKS:
        await asyncio.gather(*(fleet.act() for _ in range(AT_ONCE)), *(fleet.sample() for _ in range(2)))
        rounds += 1
        await world.advance(ROUND_MS)
        if rounds % 10 == 0:
            await world.tick()
            await fleet.come_back()
            await fleet.compare()
            fleet.crowded = await fleet.waiting() > WAITING_MOST
        if rounds % (BEAT_MS // ROUND_MS) == 0:
            await fleet.beat()
        if rounds % 20 == 0 and len(fleet.away) < WORKERS // 3:
            await fleet.kill(fleet.rng.choice([name for name in fleet.names if name not in fleet.away]))


@pytest.mark.bench
async def test_what_is_allocated_never_exceeds_what_is_there() -> None:
    clock = ManualClock()
    with running(next(iter(binaries().values()))) as url:
        async with redis_factory.make_redis_store(url, clock, StoreOptions(), "bench") as store:
            world = World(store, clock, lambda: redis_factory.set_clock(store.client, "bench", clock))
            fleet, began = Fleet(world, seed=12), time.monotonic()
            for name in fleet.names:
                await fleet.register(name)
            await history(fleet)
            seconds = time.monotonic() - began
            await fleet.compare()
            for name in fleet.names:
                fleet.grants[name] = {}
            await world.later(10 * AWAY_MS)
            left = [server for server in await fleet.sample() if server.allocated not in (NOTHING, MODEL)]
    seen = fleet.seen
    print(
        f"\n{TASKS} tasks in {seconds:.0f} s: {seen['starts']} starts, {seen['Full']} claims without room, "
        f"{seen['kills']} workers killed; allocated <= total in {fleet.samples} looks at a worker, "
        f"the sum of what runs there in {seen['compared']}"
    )
    assert left == []
    assert fleet.seen["kills"] > 20
    assert fleet.seen["starts"] > TASKS / 2
