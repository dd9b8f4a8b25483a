"""What counts for one rank of a gang and what for all: words of workers, results, slots, blame."""

import pytest

from dispatcher.domain.errors import Forbidden, StaleAttempt
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.lane import Offer
from dispatcher.domain.log import LogStream, NewLine
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.resources import Resources
from dispatcher.domain.transitions import TaskState
from tests.store.gangs import LEASE_MS, ask, end, gang, started, workers
from tests.store.world import GATEWAY, ORIGIN, OWNER, World, done


async def test_a_worker_that_was_not_told_of_its_rank_cannot_speak_for_it(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    await ask(world, "w1")
    zero = await ask(world, "w2")
    with pytest.raises(StaleAttempt):
        await world.store.tasks.finish("t1", ByHolder("w1"), done(), gateway="gw_1", retry_delay_ms=0)
    one = await ask(world, "w1")
    assert zero is not None
    assert one is not None
    await end(world, zero, done())
    assert (await end(world, one, done())).state is TaskState.COMPLETED


async def test_what_rank_0_brought_is_no_result_until_all_have_completed(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await end(world, zero, done(b'{"rank":0}'))
    assert (await world.task("t1")).result is None
    await end(world, one, Outcome(Verdict.FAILED, code="WORKER_FAILED", text="nan", digest="f"))
    task = await world.task("t1")
    assert (task.state, task.result) == (TaskState.FAILED, None)


async def test_a_rank_that_has_ended_and_is_busy_still_keeps_its_slot_and_holds_up_nobody(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await end(world, one, Outcome(Verdict.COMPLETED, digest="d", slot_free=False))
    assert await world.active(one.server_id) == 1
    for _ in range(6):
        await world.later(5_000)
        await world.beat(zero.server_id)
        await world.beat(one.server_id)
    assert await world.active(one.server_id) == 0
    assert await world.state("t1") is TaskState.PROCESSING
    assert (await end(world, zero, done())).state is TaskState.COMPLETED


async def test_a_failed_attempt_counts_for_the_worker_whose_rank_it_was(world: World) -> None:
    _, one = await started(world, "t1", "w1", "w2")
    await end(world, one, Outcome(Verdict.FAILURE, code="X", text="y", digest="f"))
    _, two = await started(world, "t2", "w3", "w4")
    await end(world, two, Verdict.LOST)
    counts = {name: await world.store.stats.server_totals(name) for name in ("w1", "w2", "w3", "w4")}
    found = {name for name, numbers in counts.items() if numbers.attempt_failures}
    assert found == {one.server_id, two.server_id}


async def test_a_claim_again_whose_attempt_is_over_starts_nothing_else(world: World) -> None:
    await workers(world, "w1")
    await gang(world, "t1", 1)
    await gang(world, "t2", 1)
    first = await ask(world, "w1", claim_id="a")
    assert first is not None
    await end(world, first, done())
    assert await ask(world, "w1", claim_id="a") is None
    assert await world.state("t2") is TaskState.PENDING


async def test_who_waits_the_longest_is_taken_first_whatever_it_offers(world: World) -> None:
    names = ("w1", "w2", "w3", "w4", "w5", "w6")
    await workers(world, *names)
    for n, name in enumerate(names):  # a class each
        offer = Offer(kinds=frozenset({"training"}), resources=Resources(gpu=2**n))
        await world.store.servers.reoffer(name, offer)
    for name in reversed(names[1:]):
        assert await ask(world, name) is None
        await world.advance(1)
    await gang(world, "t1", 3)
    assert await ask(world, "w1") is not None
    assert [name for name in names if await world.active(name)] == ["w1", "w5", "w6"]


async def test_the_same_word_on_two_attempts_counts_twice(world: World) -> None:
    _, one = await started(world, "t1", "w1", "w2")
    await end(world, one, Verdict.RELEASED)
    await world.store.tasks.free_slot("t1", "w1", 1)
    await world.store.tasks.free_slot("t1", "w2", 1)
    grants = [await ask(world, name) for name in ("w1", "w2", "w1")]
    again = next(grant for grant in grants if grant is not None and grant.server_id == one.server_id)
    assert (again.fence, again.rank) == (2, 1)
    assert not (await end(world, again, Verdict.RELEASED)).duplicate
    assert await world.state("t1") is TaskState.PENDING


async def test_a_gang_can_be_told_to_wait_after_rank_0_has_ended(world: World) -> None:
    zero, _ = await started(world, "t1", "w1", "w2")
    await end(world, zero, done())
    await world.store.servers.remove(zero.server_id)
    await world.store.tasks.pause("t1", origin="native", owner=OWNER)
    task = await world.task("t1")
    assert (task.state, task.attempt_lives) == (TaskState.PAUSED, True)


async def test_a_late_word_on_a_gang_that_a_loss_has_ended_is_stale(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2", gang_restart=False)
    await world.later(LEASE_MS)
    assert await world.state("t1") is TaskState.FAILED
    for grant in (zero, one):
        with pytest.raises(StaleAttempt):
            await end(world, grant, done())


async def test_a_worker_that_never_had_a_rank_may_not_report(world: World) -> None:
    await started(world, "t1", "w1", "w2")
    await workers(world, "w3")
    with pytest.raises(Forbidden):
        await world.store.tasks.finish("t1", ByHolder("w3"), done(), gateway=GATEWAY, retry_delay_ms=0)


async def test_a_rank_that_its_worker_was_not_told_of_is_none_that_it_holds(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    await ask(world, "w1")
    await ask(world, "w2")
    assert await world.store.tasks.holding("w1") == []
    assert [held.task_id for held, _ in await world.store.tasks.holding("w2")] == ["t1"]
    await ask(world, "w1")
    assert [held.task_id for held, _ in await world.store.tasks.holding("w1")] == ["t1"]


async def test_progress_is_the_mean_and_metrics_are_those_of_rank_0(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    tasks = world.store.tasks
    await tasks.progress("t1", ByHolder(zero.server_id), 40.0, metrics=b'{"loss":0}')
    task = await tasks.progress("t1", ByHolder(one.server_id), 80.0, metrics=b'{"loss":1}')
    assert (task.progress, task.metrics) == (60.0, b'{"loss":0}')
    assert [point.rank for point in await tasks.history("t1")] == [0, 1]
    assert [[t.id for t in found] for found in (await tasks.running(["w1", "w2"])).values()] == [["t1"], ["t1"]]


async def test_each_rank_counts_its_own_lines_and_uses_its_model(world: World) -> None:
    await workers(world, "w1", "w2")
    for name in ("w1", "w2"):
        await world.store.placements.assign("m", [name], assignment="a", preload=False, priority=50)
    ranks = {grant.server_id: grant.rank for grant in await started(world, "t1", "w1", "w2", model="m")}
    for name in ("w1", "w2", "w1"):
        line = [NewLine(LogStream.STDOUT, name)]
        assert await world.store.logs.append("t1", ByHolder(name), line, origin=ORIGIN, first=1) == 2
    page = (await world.store.logs.read({"t1": 0}, limit=9))["t1"]
    assert [(line.text, line.fence, line.rank) for line in page.lines] == [
        (name, 1, ranks[name]) for name in ("w1", "w2")
    ]
    assert [placed.last_used_ms for placed in await world.store.placements.find()] == [world.now, world.now]


async def test_each_rank_is_given_its_own_checkpoint_or_that_of_rank_0(world: World) -> None:
    zero, one, _ = await started(world, "t1", "w1", "w2", "w3")
    for grant in (zero, one):
        await world.store.tasks.progress("t1", ByHolder(grant.server_id), 1.0, checkpoint=f"/rank{grant.rank}")
    assert (await world.task("t1")).checkpoint == "/rank0"
    for name in ("w1", "w2", "w3"):
        await world.store.servers.remove(name)
    await workers(world, "w1", "w2", "w3")
    found = [await ask(world, name) for name in ("w1", "w2", "w3", "w1", "w2")]
    grants = sorted((grant for grant in found if grant is not None), key=lambda grant: grant.rank)
    assert [grant.checkpoint for grant in grants] == ["/rank0", "/rank1", "/rank0"]


async def test_a_rank_that_has_completed_is_all_the_way(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await world.store.tasks.progress("t1", ByHolder(one.server_id), 50.0)
    await end(world, zero, done(digest="d0"))
    assert (await world.task("t1")).progress == 75.0
