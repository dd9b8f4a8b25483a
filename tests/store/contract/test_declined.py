"""A worker that may not run a task: nobody's fault, it goes to others, and ends when there are none."""

import pytest

from dispatcher.domain.errors import StaleAttempt
from dispatcher.domain.failure import DECLINED, Outcome, Verdict
from dispatcher.domain.grant import Full, Grant, Moved
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.server import ServerStatus, Transport
from dispatcher.domain.stats import NO_SERVER
from dispatcher.domain.task import TaskError
from dispatcher.domain.transitions import TaskState
from dispatcher.store.options import StoreOptions
from tests.store.backends import many_calls
from tests.store.conftest import OpenWorld
from tests.store.gangs import ask, end, gang, started, workers
from tests.store.world import GATEWAY, ORIGIN, OWNER, World, done

WAIT_MS = 30_000
SAID = "image evil:1 is not allowed on this worker"
NO = Outcome(Verdict.DECLINED, text=SAID)
FAILED = TaskError(DECLINED, f"No worker took it; the last one said: {SAID}")


async def worker(world: World, *names: str, **changes: object) -> None:
    for name in names:
        given = {"transport": Transport.PULL, "silence_ms": 3_600_000, **changes}
        await world.given_server(name, **given)


async def fetch(world: World, name: str) -> Grant | None:
    claim = world.fresh("fetch")
    return await world.store.tasks.claim_next(name, claim_id=claim, nonce=claim, gateway=GATEWAY, lease_ms=60_000)


async def declines(world: World, name: str) -> str:
    """It is given a task, and declines it."""
    grant = await fetch(world, name)
    assert grant is not None
    await world.store.tasks.finish(grant.task_id, ByHolder(name, grant.fence), NO, gateway=GATEWAY, retry_delay_ms=0)
    return grant.task_id


async def test_nothing_is_counted_and_it_goes_to_others_from_its_old_place(world: World) -> None:
    await worker(world, "w1", "w2")
    for n in range(4):
        await world.given_task(f"t{n}", attempts_max=1)
    assert [await declines(world, "w1") for _ in range(3)] == ["t0", "t1", "t2"]
    task = await world.task("t0")
    assert (task.state, task.failures, task.losses) == (TaskState.PENDING, 0, 0)
    assert [(a.server_id, a.status.value, a.error) for a in task.attempts] == [("w1", "declined", SAID)]
    server = await world.store.servers.get("w1")
    assert (server.active, server.ejected_until_ms, server.status) == (0, 0, ServerStatus.ONLINE)
    own = await fetch(world, "w1")
    assert own is not None
    assert own.task_id == "t3", "what it declined does not stand in its way"
    other = await fetch(world, "w2")
    assert other is not None
    assert other.task_id == "t0"
    assert (await world.end(other, done())).state is TaskState.COMPLETED
    assert (await world.store.stats.totals(ORIGIN, OWNER)).attempt_failures == 0


async def test_nobody_is_left_and_nobody_comes(world: World) -> None:
    await worker(world, "w1", "w2")
    await world.given_task("t1")
    await declines(world, "w1")
    await declines(world, "w2")
    assert [await fetch(world, name) for name in ("w1", "w2")] == [None, None]
    await world.later(WAIT_MS - 1)
    assert await world.state("t1") is TaskState.PENDING
    await world.later(1)
    task = await world.task("t1")
    assert (task.state, task.error) == (TaskState.FAILED, FAILED)
    counts = [await world.store.stats.server_totals(name) for name in ("w1", "w2", NO_SERVER)]
    assert [(c.failed, c.attempt_failures) for c in counts] == [(0, 0), (0, 0), (1, 0)], "it is no server's failure"


async def test_one_that_comes_in_time_takes_it(world: World) -> None:
    await worker(world, "w1")
    await worker(world, "w2", silence_ms=1_000)
    await world.given_task("t1")
    await world.later(1_000)  # the other one is offline while it starts anew
    await declines(world, "w1")
    await world.later(WAIT_MS - 1)
    await worker(world, "w2")
    await world.later(60_000)
    grant = await fetch(world, "w2")
    assert grant is not None
    assert (await world.end(grant, done())).state is TaskState.COMPLETED


async def test_it_waits_for_one_that_is_busy_or_in_maintenance_but_not_for_one_that_has_gone(world: World) -> None:
    await worker(world, "w1", "w2", max_concurrent=1)
    await world.given_task("long", boost_ms=1_000)
    assert await fetch(world, "w2") is not None
    await world.given_task("t1")
    await declines(world, "w1")
    await world.store.servers.set_maintenance("w2", True, "")
    await world.later(4 * WAIT_MS)
    assert await world.state("t1") is TaskState.PENDING
    for turn in range(2):
        await world.store.servers.remove("w2")
        await world.later(WAIT_MS)
        assert await world.state("t1") is TaskState.PENDING, "it may come back"
        if turn == 0:
            await worker(world, "w2", max_concurrent=1)
            await world.store.servers.set_maintenance("w2", True, "")
            await world.later(WAIT_MS)
    await world.later(WAIT_MS)
    assert (await world.task("t1")).error == FAILED


async def test_a_start_that_was_declined_does_not_end_the_waiting_deadline(world: World) -> None:
    await worker(world, "w1", "w2")
    await world.store.servers.set_maintenance("w2", True, "")
    for task_id in ("t1", "t2"):
        await world.given_task(task_id, waiting_ms=100_000)
        await declines(world, "w1")
    await world.store.servers.set_maintenance("w2", False, "")
    begun = await fetch(world, "w2")
    assert begun is not None
    await world.end(begun, Verdict.RELEASED)
    await worker(world, "w3")
    await declines(world, "w3")
    await world.store.servers.set_maintenance("w2", True, "")
    await world.later(100_000)
    assert await world.state("t1") is TaskState.PENDING, "its work was begun once"
    assert (await world.task("t2")).error == TaskError("DEADLINE", "The deadline passed")


async def test_a_second_one_may_fail_it_and_a_loss_is_no_answer_of_the_first(world: World) -> None:
    await worker(world, "w1", "w2")
    await world.given_task("t1", shy=True)
    await declines(world, "w1")
    assert await fetch(world, "w2") is not None
    await world.later(60_000)  # its lease runs out
    assert (await world.task("t1")).losses == 1
    assert await fetch(world, "w1") is None
    assert await fetch(world, "w2") is not None, "there is no other worker that might"


@many_calls
async def test_it_looks_past_many_that_it_declined(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(declined_max=70))
    await worker(world, "w1", max_concurrent=1)
    await worker(world, "busy")
    for n in range(72):
        await world.given_task(f"t{n:02}")
    assert [await declines(world, "w1") for _ in range(71)] == [f"t{n:02}" for n in range(71)]
    assert await fetch(world, "w1") is None, "70 of them and no more"
    assert await fetch(world, "busy") is not None
    assert await declines(world, "w1") == "t71"


async def test_an_explicit_retry_asks_all_again(world: World) -> None:
    await worker(world, "w1")
    await world.given_task("t1")
    await declines(world, "w1")
    await world.later(WAIT_MS)
    assert await world.state("t1") is TaskState.FAILED
    await world.store.tasks.retry("t1", origin=ORIGIN, owner=OWNER, waiting_ms=None)
    grant = await fetch(world, "w1")
    assert grant is not None
    await world.end(grant, Verdict.RELEASED)
    await world.store.servers.remove("w1")
    await world.later(3 * WAIT_MS)
    assert await world.state("t1") is TaskState.PENDING, "of the run before nothing is remembered"


async def test_64_workers_are_asked_at_most(world: World) -> None:
    names = [f"w{n:02}" for n in range(66)]
    await worker(world, *names)
    await world.given_task("t1")
    for name in names[:63]:
        await declines(world, name)
    assert await world.state("t1") is TaskState.PENDING
    await declines(world, names[63])
    assert (await world.task("t1")).error == FAILED
    assert (await world.store.stats.totals(ORIGIN, OWNER)).timed == 0


async def test_one_that_is_paused_stays_so_and_is_looked_after_when_it_goes_on(world: World) -> None:
    await workers(world, "w1")
    await gang(world, "t1", 1)
    grant = await ask(world, "w1")
    assert grant is not None
    await world.store.tasks.pause("t1", origin=ORIGIN, owner=OWNER)
    assert (await end(world, grant, NO)).state is TaskState.PAUSED
    await world.later(2 * WAIT_MS)
    assert await world.state("t1") is TaskState.PAUSED
    await world.store.tasks.resume("t1", origin=ORIGIN, owner=OWNER)
    await worker(world, "w2")  # of another kind
    await world.beat("w1")
    assert await ask(world, "w1") is None
    for _ in range(8):
        await world.later(WAIT_MS // 4)
        await world.beat("w1")
    assert (await world.task("t1")).error == FAILED


async def test_one_that_is_called_from_now_on_is_not_called_for_it(world: World) -> None:
    await worker(world, "w1")
    await world.given_task("t1")
    await declines(world, "w1")
    await world.given_server("w1")
    await world.advance(300)
    assert await world.store.tasks.peek() == []
    answer = await world.claim("t1", "w1")
    assert isinstance(answer, Full)
    assert answer.candidates.free == ()
    await world.given_server("s2", max_concurrent=4)
    assert isinstance(await world.claim("t1", "s2", expected_load=5.0, instead=["w1"]), Moved)


@pytest.mark.parametrize("first", [True, False])
async def test_a_rank_that_declines_hands_the_gang_back_and_is_no_peer_again(world: World, first: bool) -> None:
    grants = await started(world, "t1", "w1", "w2")
    no, yes = grants if first else grants[::-1]
    assert (await end(world, no, NO)).state is TaskState.PENDING
    with pytest.raises(StaleAttempt):  # it was told to stop, and is free then
        await end(world, yes, Verdict.RELEASED)
    task = await world.task("t1")
    assert (task.failures, task.losses, task.attempts[-1].status.value) == (0, 0, "declined")
    assert [await ask(world, grant.server_id) for grant in (no, yes)] == [None, None]
    await gang(world, "t2", 2)
    assert await ask(world, no.server_id) is not None, "a later gang is not held up"
    assert await ask(world, yes.server_id) is not None
    await world.later(WAIT_MS)
    assert (await world.task("t1")).error == FAILED, "of two that it needs one is left"


async def test_a_gang_gathers_without_one_that_declined(world: World) -> None:
    grants = await started(world, "t1", "w1", "w2")
    await workers(world, "w3")
    no, yes = grants
    assert (await end(world, no, NO)).state is TaskState.PENDING
    with pytest.raises(StaleAttempt):
        await end(world, yes, Verdict.RELEASED)
    assert await ask(world, no.server_id) is None
    assert await ask(world, "w3") is None
    for _ in range(2):
        await world.later(WAIT_MS // 2 + 1_000)
        for name in ("w1", "w2", "w3"):
            await world.beat(name)
    assert await ask(world, "w3") is None  # the gang gathers
    await gang(world, "t2", 1)
    other = await ask(world, no.server_id)
    assert other is not None
    assert other.task_id == "t2", "who declined is not held for it"
    both = [await ask(world, yes.server_id), await ask(world, "w3")]
    assert [grant.task_id for grant in both if grant is not None] == ["t1", "t1"]


async def test_too_few_that_did_not_decline_are_not_held_for_a_gang(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(declined_wait_ms=3_600_000))
    no, yes = await started(world, "t1", "w1", "w2")
    await end(world, no, NO)
    with pytest.raises(StaleAttempt):
        await end(world, yes, Verdict.RELEASED)
    for _ in range(5):
        assert await ask(world, yes.server_id) is None
        await world.later(WAIT_MS // 4)
        for name in ("w1", "w2"):
            await world.beat(name)
    await gang(world, "t2", 1)
    assert await ask(world, yes.server_id) is not None
