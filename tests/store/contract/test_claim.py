"""Claims: one server gets a task, and every refusal says why and what else there is."""

import pytest

from dispatcher.domain.failure import Verdict
from dispatcher.domain.grant import Behind, Candidates, Claim, FreeServer, Full, Gone, Granted, Moved
from dispatcher.domain.task import AttemptStatus
from dispatcher.domain.transitions import TaskState
from tests.store.world import World


def only(*free: tuple[str, float]) -> Candidates:
    return Candidates(tuple(FreeServer(server_id, load) for server_id, load in free))


async def test_a_claim_starts_the_first_attempt(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1", timeout_ms=60_000, points=30)
    await world.advance(5)
    answer = await world.claim("t1", "s1", nonce="secret")
    assert isinstance(answer, Granted)
    grant = answer.grant
    assert (grant.task_id, grant.server_id, grant.fence, grant.nonce) == ("t1", "s1", 1, "secret")
    assert (grant.type, grant.points, grant.payload) == ("echo", 30, b'{"n":1}')
    assert (grant.now_ms, grant.deadline_ms) == (world.now, world.now + 60_000)
    assert (grant.failures, grant.losses, grant.tried) == (0, 0, frozenset())
    task = await world.task("t1")
    assert (task.state, task.server_id, task.fence, task.started_ms) == (TaskState.PROCESSING, "s1", 1, world.now)
    assert task.attempt_lives
    assert [(a.fence, a.server_id, a.status) for a in task.attempts] == [(1, "s1", AttemptStatus.RUNNING)]
    assert await world.active("s1") == 1


async def test_the_time_of_an_attempt_ends_with_the_deadline(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1", timeout_ms=60_000, deadline_ms=world.now + 20_000)
    assert (await world.start("t1", "s1")).deadline_ms == world.now + 20_000


async def test_a_task_is_granted_once(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1")
    assert await world.claim("t1", "s1") == Gone(TaskState.PROCESSING)
    assert await world.claim("nothing", "s1") == Gone(None)
    assert await world.active("s1") == 1


async def test_a_full_server_refuses_and_names_the_others(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    await world.given_server("s2", max_concurrent=2)
    await world.running("t1", "s1")
    await world.given_task("t2")
    assert await world.claim("t2", "s1") == Full(only(("s2", 0.0)))
    assert await world.claim("t2", "unknown") == Full(only(("s2", 0.0)))
    assert await world.active("s1") == 1


async def test_a_server_that_does_not_fit_refuses(world: World) -> None:
    await world.given_server("s1")
    await world.given_server("s2", capabilities=["gpu", "fp16"])
    await world.given_task("t1", capabilities=["gpu"])
    assert await world.claim("t1", "s1") == Full(only(("s2", 0.0)))
    assert isinstance(await world.claim("t1", "s2"), Granted)


async def test_a_server_of_another_group_refuses(world: World) -> None:
    await world.given_server("s1")
    assert (await world.given_task("t1", capabilities=["x"])).candidates is None
    assert await world.claim("t1", "s1") == Full(only())


async def test_the_last_refusal_ends_the_first_right(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    await world.given_task("t1", gateway="gw_1")
    await world.claim("t1", "unknown", gateway="gw_1")
    assert isinstance(await world.claim("t1", "s1", gateway="gw_2"), Gone)
    await world.claim("t1", "unknown", gateway="gw_1", last=True)
    assert isinstance(await world.claim("t1", "s1", gateway="gw_2"), Granted)


@pytest.mark.parametrize(("expected", "moved"), [(0.5, False), (0.0, False), (1.0, False), (1.5, True)])
async def test_a_load_that_is_off_by_more_than_one_task_moves(world: World, expected: float, moved: bool) -> None:
    await world.given_server("s1", weight=2)
    await world.running("t0", "s1")
    await world.given_task("t1")
    answer = await world.claim("t1", "s1", expected_load=expected)
    assert isinstance(answer, Moved if moved else Granted)
    if isinstance(answer, Moved):
        assert answer.candidates == only(("s1", 0.5))


async def waiting_head(world: World, head_waits_ms: int) -> Claim:
    """A head in the queue for so long, and a younger task that is claimed."""
    await world.given_task("head")
    await world.advance(head_waits_ms)
    await world.given_server("s1", max_concurrent=1)
    await world.given_task("young")
    return await world.claim("young", "s1")


async def test_a_head_that_waited_goes_first(world: World) -> None:
    answer = await waiting_head(world, 251)
    assert isinstance(answer, Behind)
    assert (answer.grant.task_id, answer.grant.fence) == ("head", 1)
    assert await world.state("head") is TaskState.PROCESSING
    assert await world.state("young") is TaskState.PENDING


async def test_a_head_that_just_came_does_not(world: World) -> None:
    answer = await waiting_head(world, 250)
    assert isinstance(answer, Granted)
    assert answer.grant.task_id == "young"


async def test_behind_ends_the_own_first_right(world: World) -> None:
    answer = await waiting_head(world, 251)
    assert isinstance(answer, Behind)
    finished = await world.end(answer.grant, Verdict.COMPLETED, want_next="n_next")
    assert finished.grant is not None
    assert finished.grant.task_id == "young"


async def test_behind_goes_by_the_order_of_that_server(world: World) -> None:
    """An older task that this server cannot run does not stand in the way."""
    await world.given_task("older", capabilities=["tpu"])
    await world.advance(1_000)
    await world.given_server("s1")
    await world.given_task("young")
    assert isinstance(await world.claim("young", "s1"), Granted)


async def test_a_more_urgent_task_is_not_behind_an_older_one(world: World) -> None:
    await world.given_task("older")
    await world.advance(1_000)
    await world.given_server("s1")
    await world.given_task("urgent", boost_ms=60_000)
    assert (await world.start("urgent", "s1")).task_id == "urgent"


async def test_a_started_tasks_waiting_deadline_no_longer_counts(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1", waiting_ms=10_000)
    grant = await world.start("t1", "s1", lease_ms=60_000)
    await world.later(20_000)
    assert await world.state("t1") is TaskState.PROCESSING
    await world.end(grant, Verdict.RELEASED)
    await world.later(20_000)
    assert await world.state("t1") is TaskState.PENDING


async def test_peek_names_heads_that_waited_while_a_server_is_free(world: World) -> None:
    for n in range(3):
        await world.given_task(f"t{n}")
    assert await world.store.tasks.peek() == []
    await world.given_server("s1", max_concurrent=2)
    assert await world.store.tasks.peek() == []
    await world.advance(251)
    found = await world.store.tasks.peek()
    assert [(w.task_id, w.candidates) for w in found] == [("t0", only(("s1", 0.0))), ("t1", only(("s1", 0.0)))]
    assert [w.turn for w in found] == [0, 1]
    assert len(await world.store.tasks.peek(limit=1)) == 1


async def test_a_server_above_the_least_loaded_by_more_than_one_task_moves(world: World) -> None:
    """Its own load is as the caller saw it; the other's has fallen meanwhile."""
    await world.given_server("s1")
    await world.given_server("s2")
    for number in range(2):
        await world.running(f"r{number}", "s1")
    await world.given_task("t1")
    answer = await world.claim("t1", "s1", expected_load=2.0)
    assert isinstance(answer, Moved)
    await world.running("r2", "s2")
    assert isinstance(await world.claim("t1", "s1", expected_load=2.0), Granted)


async def test_where_loads_have_moved_the_least_loaded_of_the_named_servers_is_taken(world: World) -> None:
    for name, running in (("s1", 3), ("s2", 1), ("s3", 0), ("s4", 1)):
        await world.given_server(name)
        for number in range(running):
            await world.running(f"{name}-{number}", name)
    await world.given_server("full", max_concurrent=1)
    await world.running("one", "full")
    await world.given_task("t1")
    grant = await world.start("t1", "s1", expected_load=3.0, instead=["full", "gone", "s1", "s4", "s2"])
    assert (grant.task_id, grant.server_id) == ("t1", "s4"), "not s3, which the caller does not want"
    assert await world.active("s4") == 2
    await world.given_task("t2")
    assert isinstance(await world.claim("t2", "s1", expected_load=3.0, instead=["full", "gone"]), Moved)
    await world.given_task("t3")
    kept = await world.start("t3", "s2", expected_load=1.0, instead=["s3"])
    assert kept.server_id == "s2", "its loads are as the caller saw them"
