"""Gangs: n ranks of one attempt, each on a worker of its own, started together or not at all."""

from dataclasses import replace

import pytest

from dispatcher.domain.errors import AlreadyEnded, ConflictingResult, Forbidden, StaleAttempt
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Finished, Grant
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.log import LogStream, NewLine
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import Endpoints, NewServer, Transport
from dispatcher.domain.transitions import TaskState
from tests.store.world import GATEWAY, ORIGIN, OWNER, World, done, new_task

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


async def test_all_ranks_start_together_each_on_its_own_worker(world: World) -> None:
    grants = await started(world, "t1", "w1", "w2", "w3")
    assert [(grant.rank, grant.gang, grant.fence) for grant in grants] == [(0, 3, 1), (1, 3, 1), (2, 3, 1)]
    assert {grant.server_id for grant in grants} == {"w1", "w2", "w3"}
    assert [await world.active(name) for name in ("w1", "w2", "w3")] == [1, 1, 1]
    assert await world.state("t1") is TaskState.PROCESSING
    assert (await world.task("t1")).gang == 3


async def test_too_few_workers_start_nothing(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 3)
    assert await ask(world, "w1") is None
    assert await ask(world, "w2") is None
    assert await world.state("t1") is TaskState.PENDING
    assert [await world.active(name) for name in ("w1", "w2")] == [0, 0]


async def test_only_workers_that_wait_on_a_connection_join(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    assert await ask(world, "w1", waits=False) is None
    assert await ask(world, "w2", waits=True) is None
    assert await ask(world, "w1", waits=False) is None
    assert (await ask(world, "w1")) is not None


async def test_a_gang_that_cannot_start_does_not_hold_up_what_is_behind_it(world: World) -> None:
    await workers(world, "w1")
    for n in range(6):
        await gang(world, f"g{n}", 2)
    await gang(world, "single", 1)
    grant = await ask(world, "w1")
    assert grant is not None
    assert grant.task_id == "single"


async def test_a_lost_answer_is_given_again_to_each_rank(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    await ask(world, "w1")
    first = await ask(world, "w2", claim_id="a")
    second = await ask(world, "w1", claim_id="b")
    assert await ask(world, "w2", claim_id="a") == first
    assert await ask(world, "w1", claim_id="b") == second
    assert second is not None
    assert second.rank == 1


async def test_what_a_dead_gateways_workers_wanted_is_forgotten(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    await world.store.servers.connect("w1", "s-w1b", "gw_dead")
    await world.store.servers.connect("w1", "s-w1", "gw_dead")
    assert await ask(world, "w1") is None
    assert await ask(world, "w2") is None


async def test_who_has_hung_up_is_given_no_rank(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    assert await ask(world, "w1") is None
    await world.store.servers.disconnect("w1", "s-w1")
    assert await ask(world, "w2") is None


async def test_the_last_rank_completes_the_task_with_what_rank_0_brought(world: World) -> None:
    zero, one, two = await started(world, "t1", "w1", "w2", "w3")
    assert (await end(world, zero, done(b'{"rank":0}', "d0"))).state is TaskState.PROCESSING
    assert await world.active(zero.server_id) == 0
    assert (await end(world, two, done(b'{"rank":2}', "d2"))).state is TaskState.PROCESSING
    assert (await end(world, one, done(b'{"rank":1}', "d1"))).state is TaskState.COMPLETED
    task = await world.task("t1")
    assert task.result == b'{"rank":0}'
    assert [await world.active(name) for name in ("w1", "w2", "w3")] == [0, 0, 0]
    assert (await end(world, one, done(b'{"rank":1}', "d1"))).duplicate
    assert (await end(world, zero, done(b'{"rank":0}', "d0"))).duplicate


async def test_a_failed_rank_stops_the_rest(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await end(world, one, Outcome(Verdict.FAILED, code="WORKER_FAILED", text="nan", digest="f"))
    assert await world.state("t1") is TaskState.FAILED
    assert await world.active(one.server_id) == 0
    assert await world.active(zero.server_id) == 1  # until it says that it has stopped
    with pytest.raises(ConflictingResult):
        await end(world, zero, done())
    assert await world.active(zero.server_id) == 0


async def test_a_lost_rank_sends_the_gang_back(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await world.later(LEASE_MS - 5_000)
    await world.beat(zero.server_id)
    await world.later(5_000)
    task = await world.task("t1")
    assert (task.state, task.losses) == (TaskState.PENDING, 1)
    assert await world.active(one.server_id) == 0
    assert await world.active(zero.server_id) == 1
    with pytest.raises(StaleAttempt):
        await end(world, zero, done())
    assert await world.active(zero.server_id) == 0
    with pytest.raises(StaleAttempt):
        await end(world, one, done())


async def test_a_lost_rank_ends_a_gang_that_must_not_restart(world: World) -> None:
    zero, _ = await started(world, "t1", "w1", "w2", gang_restart=False)
    await world.later(LEASE_MS - 5_000)
    await world.beat(zero.server_id)
    await world.later(5_000)
    task = await world.task("t1")
    assert task.state is TaskState.FAILED
    assert task.error is not None
    assert task.error.code == "RANK_LOST"


async def test_three_losses_end_it(world: World) -> None:
    await started(world, "t1", "w1", "w2")
    for _ in range(2):
        await world.later(LEASE_MS + 6_000)
        assert await ask(world, "w1") is None
        assert await ask(world, "w2") is not None
        assert await ask(world, "w1") is not None
    await world.later(LEASE_MS + 6_000)
    task = await world.task("t1")
    assert task.state is TaskState.FAILED
    assert task.error is not None
    assert task.error.code == "POISON"


async def test_a_rank_that_is_never_taken_costs_nothing(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    assert await ask(world, "w1") is None
    assert await ask(world, "w2") is not None
    await world.later(OFFER_MS)
    task = await world.task("t1")
    assert (task.state, task.losses, task.failures) == (TaskState.PENDING, 0, 0)
    assert await world.active("w1") == 0
    assert await world.active("w2") == 1


async def test_a_cancelled_gang_keeps_its_slots_until_the_workers_stop(world: World) -> None:
    grants = await started(world, "t1", "w1", "w2")
    await world.store.tasks.cancel("t1", origin="native", owner=OWNER)
    assert [await world.active(name) for name in ("w1", "w2")] == [1, 1]
    for grant in grants:
        with pytest.raises(AlreadyEnded):
            await end(world, grant, done())
    assert [await world.active(name) for name in ("w1", "w2")] == [0, 0]


async def test_a_worker_that_is_unregistered_sends_the_gang_back(world: World) -> None:
    _, one = await started(world, "t1", "w1", "w2")
    await world.store.servers.remove(one.server_id)
    task = await world.task("t1")
    assert (task.state, task.losses) == (TaskState.PENDING, 0)


async def test_two_gangs_that_need_all_workers_do_not_block_each_other(world: World) -> None:
    await workers(world, "w1", "w2", "w3")
    await gang(world, "t1", 3)
    await gang(world, "t2", 3)
    order = []
    for _ in range(2):
        grants = [await ask(world, name) for name in ("w1", "w2", "w3", "w1", "w2")]
        got = [grant for grant in grants if grant is not None]
        assert len(got) == 3
        order.append({grant.task_id for grant in got})
        for n, grant in enumerate(got):
            await end(world, grant, done(digest=f"d{n}"))
    assert order == [{"t1"}, {"t2"}]


async def test_a_gang_that_was_passed_over_gathers_its_workers(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "g", 2)
    await world.advance(1)
    for n in range(20):
        await gang(world, f"s{n}", 1)
    first = await ask(world, "w1")
    assert first is not None
    assert first.task_id == "s0"
    second = await ask(world, "w2")
    assert second is not None
    await world.later(15_000)
    for worker in ("w1", "w2"):
        await world.beat(worker)
    await world.later(15_000)
    await world.store.coordination.presence(GATEWAY)
    await end(world, first, done())
    again = await ask(world, "w1")  # passed over for 30 s: this makes it gather
    assert again is None
    await end(world, second, done())
    zero = await ask(world, "w2")
    assert zero is not None
    assert zero.task_id == "g"


async def test_a_gathering_gang_that_is_gone_holds_nobody(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "g", 2)
    assert await ask(world, "w1") is None
    await world.later(GATHER_MS)
    await world.beat("w2")  # it is there, and does not ask
    assert await ask(world, "w1") is None
    await gang(world, "s", 1)
    assert await ask(world, "w1") is None  # held
    await world.store.tasks.cancel("g", origin="native", owner=OWNER)
    grant = await ask(world, "w1")
    assert grant is not None
    assert grant.task_id == "s"


async def test_a_worker_that_never_had_a_rank_may_not_report(world: World) -> None:
    await started(world, "t1", "w1", "w2")
    await workers(world, "w3")
    with pytest.raises(Forbidden):
        await world.store.tasks.finish("t1", ByHolder("w3"), done(), gateway=GATEWAY, retry_delay_ms=0)


async def test_progress_is_the_mean_and_metrics_are_those_of_rank_0(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    tasks = world.store.tasks
    await tasks.progress("t1", ByHolder(zero.server_id), 40.0, metrics=b'{"loss":0}')
    task = await tasks.progress("t1", ByHolder(one.server_id), 80.0, metrics=b'{"loss":1}')
    assert (task.progress, task.metrics) == (60.0, b'{"loss":0}')
    assert [point.rank for point in await tasks.history("t1")] == [0, 1]
    assert [[t.id for t in found] for found in (await tasks.running(["w1", "w2"])).values()] == [["t1"], ["t1"]]


async def test_a_rank_lost_while_paused_leaves_the_gang_paused_without_an_attempt(world: World) -> None:
    grants = await started(world, "t1", "w1", "w2")
    await world.store.tasks.pause("t1", origin="native", owner=OWNER)
    await world.later(LEASE_MS)
    task = await world.task("t1")
    assert (task.state, task.attempt_lives, task.losses) == (TaskState.PAUSED, False, 1)
    with pytest.raises(StaleAttempt):
        await end(world, grants[1], done())
    await world.store.tasks.resume("t1", origin="native", owner=OWNER)
    assert await world.state("t1") is TaskState.PENDING


async def test_each_rank_takes_its_room(world: World) -> None:
    needs = Resources(gpu=1)
    await workers(world, "w1", "w2", "w3", resources=Resources(gpu=1))
    await world.store.servers.reoffer("w2", Offer(kinds=frozenset({"training"}), resources=Resources(gpu=0.5)))
    await gang(world, "t1", 2, needs=needs)
    assert await ask(world, "w2") is None
    assert await ask(world, "w1") is None
    zero = await ask(world, "w3")
    one = await ask(world, "w1")
    assert zero is not None
    assert one is not None
    assert [(await world.store.servers.get(name)).allocated for name in ("w1", "w2", "w3")] == [needs, NOTHING, needs]
    await end(world, one, done(digest="d1"))
    assert (await world.store.servers.get("w1")).allocated == NOTHING


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


async def test_a_late_word_on_a_gang_that_started_again_frees_its_worker(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await workers(world, "w3", "w4")
    await end(world, one, Verdict.LOST)
    assert await ask(world, "w3") is None
    assert await ask(world, "w4") is not None
    taken = await ask(world, "w3")
    assert taken is not None
    assert (await world.task("t1")).fence == 2
    assert await world.active(zero.server_id) == 1
    with pytest.raises(StaleAttempt):
        await end(world, zero, Verdict.RELEASED)
    assert await world.active(zero.server_id) == 0
    with pytest.raises(StaleAttempt):
        await world.store.tasks.finish(
            "t1", ByHolder("w3", 1), Outcome(Verdict.RELEASED), gateway=GATEWAY, retry_delay_ms=0
        )
    assert [await world.active(name) for name in ("w3", "w4")] == [1, 1]


async def test_a_rank_of_a_removed_gang_is_let_go(world: World) -> None:
    grants = await started(world, "t1", "w1", "w2")
    await world.store.tasks.free_slot("t1", grants[1].server_id, 1)
    assert await world.active(grants[1].server_id) == 1, "the attempt lives"
    await world.store.tasks.cancel("t1", origin="native", owner=OWNER)
    await world.store.tasks.delete("t1", origin="native", owner=OWNER)
    for grant in grants:
        await world.store.tasks.free_slot("t1", grant.server_id, grant.fence)
    assert [await world.active(name) for name in ("w1", "w2")] == [0, 0]


async def test_a_rank_that_its_worker_was_not_told_of_is_none_that_it_holds(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    await ask(world, "w1")
    await ask(world, "w2")
    assert await world.store.tasks.holding("w1") == []
    assert [held.task_id for held, _ in await world.store.tasks.holding("w2")] == ["t1"]
    await ask(world, "w1")
    assert [held.task_id for held, _ in await world.store.tasks.holding("w1")] == ["t1"]


async def test_a_gang_with_too_few_workers_to_wait_for_holds_nobody(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "g", 3)
    assert await ask(world, "w1") is None
    await world.later(GATHER_MS)
    await gang(world, "s1", 1)
    await gang(world, "s2", 1)
    first = await ask(world, "w1")
    assert first is not None
    assert first.task_id == "s1"
    await workers(world, "w3")
    assert await ask(world, "w2") is None, "from now on there are enough"
    await world.store.servers.remove("w3")
    assert (await ask(world, "w2")) is not None, "and now no more"


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
