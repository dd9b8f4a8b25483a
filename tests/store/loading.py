"""A worker on a socket that tells of its models, and tasks that work with them."""

from typing import Any

from dispatcher.domain.failure import Outcome
from dispatcher.domain.grant import Grant
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.placement import RUNNER, Placement, PlacementStatus, can_load
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import NewServer, Transport
from tests.store.world import GATEWAY, World, done, new_server

GB = 1 << 30
MODELS = ("m", "n")
ASSIGNED, QUEUED, LOADING, LOADED, UNLOADING, FAILED = PlacementStatus


def gb(amount: int) -> Resources:
    return Resources(memory=amount * GB)


TOTALS = gb(24)


def worker(name: str, totals: Resources | None = TOTALS, models: tuple[str, ...] = MODELS) -> NewServer:
    new = new_server(name, transport=Transport.SOCKET, max_concurrent=9)
    offer = Offer(kinds=frozenset({RUNNER, "predict"}), capabilities=frozenset(map(can_load, models)), resources=totals)
    return NewServer(new.id, new.origin, new.name, new.endpoints, offer, transport=new.transport, max_concurrent=9)


async def given_worker(world: World, name: str = "w", **changes: Any) -> None:
    await world.store.servers.put(worker(name, **changes))


async def given_task(world: World, task_id: str, model: str = "m", needs: Resources = NOTHING, gang: int = 1) -> None:
    await world.given_task(
        task_id, demand=Demand(kind=RUNNER, gang=gang).shaped(needs), model=model, needs=needs, shy=False
    )


async def ask(world: World, name: str = "w") -> Grant | None:
    return await world.store.tasks.claim_next(
        name, claim_id=world.fresh("c"), nonce="n", gateway=GATEWAY, lease_ms=30_000, note=""
    )


async def started(world: World, task_id: str, model: str = "m", **changes: Any) -> Grant:
    await given_task(world, task_id, model, **changes)
    grant = await ask(world)
    assert grant is not None
    assert grant.task_id == task_id
    return grant


async def end(world: World, grant: Grant, outcome: Outcome | None = None) -> None:
    who = ByHolder(grant.server_id)
    await world.store.tasks.finish(grant.task_id, who, outcome or done(), gateway=GATEWAY, retry_delay_ms=0)


async def known(world: World, model: str, takes: Resources) -> None:
    """Its size is known from a worker elsewhere."""
    await given_worker(world, "elsewhere", totals=None)
    await world.store.placements.loaded("elsewhere", model, takes, 1)
    await world.store.servers.remove("elsewhere")


async def placed(world: World, model: str = "m") -> Placement | None:
    found = await world.store.placements.find(["w"], model)
    return found[0] if found else None


async def status(world: World, model: str = "m") -> PlacementStatus | None:
    placement = await placed(world, model)
    return placement.status if placement is not None else None


async def held(world: World) -> Resources:
    return (await world.store.servers.get("w")).allocated
