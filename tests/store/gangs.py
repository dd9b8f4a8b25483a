"""Workers on sockets, gangs that wait for them, and their ranks."""

from dataclasses import replace

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Finished, Grant
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import Endpoints, NewServer, Transport
from tests.store.world import GATEWAY, World, new_task

LEASE_MS = 30_000
OFFER_MS = 3_000
GATHER_MS = 30_000


async def workers(world: World, *names: str, resources: Resources | None = None) -> None:
    await world.store.coordination.presence(GATEWAY)
    for name in names:
        offer = Offer(kinds=frozenset({"training"}), resources=resources)
        new = NewServer(name, "farm", name, Endpoints(), offer, max_concurrent=1, transport=Transport.SOCKET)
        await world.store.servers.put(new)
        await world.store.servers.connect(name, f"s-{name}", GATEWAY)


async def gang(world: World, task_id: str, size: int, **changes: object) -> None:
    task = new_task(task_id, timeout_ms=0, shy=True, **changes)
    demand = Demand(kind="training", gang=size).shaped(task.needs)
    await world.store.tasks.create(replace(task, demand=demand), gateway=GATEWAY)


async def ask(world: World, worker: str, *, waits: bool = True, claim_id: str | None = None) -> Grant | None:
    await world.store.coordination.presence(GATEWAY)
    name = claim_id or world.fresh("ask")
    return await world.store.tasks.claim_next(
        worker,
        claim_id=name,
        nonce=f"n-{name}",
        gateway=GATEWAY,
        lease_ms=LEASE_MS,
        session=f"s-{worker}" if waits else "",
    )


async def started(world: World, task_id: str, *names: str, **changes: object) -> list[Grant]:
    """A gang that runs on these workers; the grants by rank."""
    await workers(world, *names)
    await gang(world, task_id, len(names), **changes)
    for name in names[:-1]:
        assert await ask(world, name) is None
    grants = [await ask(world, name) for name in (names[-1], *names[:-1])]
    found = [grant for grant in grants if grant is not None]
    assert len(found) == len(names)
    return sorted(found, key=lambda grant: grant.rank)


async def end(world: World, grant: Grant, outcome: Outcome | Verdict) -> Finished:
    what = Outcome(outcome) if isinstance(outcome, Verdict) else outcome
    return await world.store.tasks.finish(
        grant.task_id, ByHolder(grant.server_id), what, gateway=GATEWAY, retry_delay_ms=0
    )
