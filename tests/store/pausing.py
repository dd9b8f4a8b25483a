"""Short words for tasks that are held back."""

from dispatcher.domain.grant import Grant
from dispatcher.domain.server import Transport
from dispatcher.domain.transitions import TaskState
from tests.store.world import GATEWAY, ORIGIN, OWNER, World

LEASE_MS = 30_000


async def pause(world: World, task_id: str = "t1", reason: str = "") -> None:
    await world.store.tasks.pause(task_id, origin=ORIGIN, owner=OWNER, reason=reason)


async def resume(world: World, task_id: str = "t1", reason: str = "") -> None:
    await world.store.tasks.resume(task_id, origin=ORIGIN, owner=OWNER, reason=reason)


async def ask(world: World, claim_id: str = "", worker: str = "w") -> Grant | None:
    name = claim_id or world.fresh("c")
    return await world.store.tasks.claim_next(
        worker, claim_id=name, nonce=f"n-{name}", gateway=GATEWAY, lease_ms=LEASE_MS
    )


async def given_worker(world: World, name: str = "w", **changes: object) -> None:
    await world.given_server(name, transport=Transport.SOCKET, **changes)


async def halted(world: World, **changes: object) -> Grant:
    """A running task of a worker on a socket, paused."""
    await given_worker(world, max_concurrent=1)
    await world.given_task("t1", **changes)
    grant = await ask(world)
    assert grant is not None
    await pause(world)
    return grant


async def looks(world: World, task_id: str = "t1") -> tuple[TaskState, bool]:
    task = await world.task(task_id)
    return task.state, task.attempt_lives


PAUSED_ALIVE = (TaskState.PAUSED, True)
PAUSED_IDLE = (TaskState.PAUSED, False)
