"""Creating a task: what is stored, what is answered, who may start it."""

from dataclasses import replace

import pytest

from dispatcher.domain.errors import Invalid
from dispatcher.domain.grant import Gone
from dispatcher.domain.task import NewTask
from dispatcher.domain.transitions import TaskState
from tests.store.world import GATEWAY, ORIGIN, OWNER, World, new_task


async def test_all_that_was_handed_in_comes_back(world: World) -> None:
    task = new_task("t1", points=70, boost_ms=420_000, spec=b'{"a": 1}', capabilities=["gpu"], timeout_ms=9_000)
    created = await world.store.tasks.create(replace(task, deadline_ms=world.now + 99_000), gateway=GATEWAY)
    assert (created.task_id, created.state, created.created_ms) == ("t1", TaskState.PENDING, world.now)
    assert not created.replayed
    found = await world.task("t1")
    assert (found.id, found.origin, found.owner, found.type) == ("t1", ORIGIN, OWNER, "echo")
    assert (found.points, found.spec, found.timeout_ms) == (70, b'{"a": 1}', 9_000)
    assert found.lane == task.demand.lane
    assert found.deadline_ms == world.now + 99_000
    assert (found.created_ms, found.updated_ms) == (world.now, world.now)
    assert (found.fence, found.attempts, found.result, found.error) == (0, (), None, None)


async def test_without_a_free_server_it_waits(world: World) -> None:
    created = await world.given_task("t1")
    assert created.candidates is None
    await world.given_server("other", capabilities=["cpu"])
    assert (await world.given_task("t2", capabilities=["gpu"])).candidates is None


async def test_free_servers_come_with_their_loads(world: World) -> None:
    await world.given_server("s1", max_concurrent=2, weight=2)
    await world.given_server("s2", max_concurrent=1)
    await world.running("t1", "s1")
    found = (await world.given_task("t2")).candidates
    assert found is not None
    assert found.complete
    assert {free.server_id: free.load for free in found.free} == {"s1": 0.5, "s2": 0.0}


async def test_of_many_servers_only_the_least_loaded_16_come(world: World) -> None:
    for n in range(65):
        await world.given_server(f"s{n:02}", max_concurrent=2)
    for n in range(50):
        await world.running(f"t{n:02}", f"s{n:02}")
    found = (await world.given_task("next")).candidates
    assert found is not None
    assert not found.complete
    assert len(found.free) == 16
    assert sum(free.load for free in found.free) == 1  # 15 idle servers, and one that runs a task


async def test_turns_of_a_lane_count_answers_with_candidates(world: World) -> None:
    assert (await world.given_task("early")).turn == 0
    await world.given_server("s1", capabilities=["gpu"])
    assert [(await world.given_task(f"t{n}")).turn for n in range(3)] == [0, 1, 2]
    assert (await world.given_task("g1", capabilities=["gpu"])).turn == 0


async def test_the_first_right_keeps_others_away_for_250_ms(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1", gateway="gw_1")
    await world.advance(249)
    assert await world.claim("t1", "s1", gateway="gw_2") == Gone(TaskState.PENDING)
    assert await world.store.tasks.peek() == []
    await world.advance(1)
    assert (await world.start("t1", "s1", gateway="gw_2")).task_id == "t1"


async def test_run_at_schedules_and_then_queues(world: World) -> None:
    await world.given_server("s1")
    created = await world.given_task("t1", run_at_ms=world.now + 4_000)
    assert (created.state, created.candidates) == (TaskState.SCHEDULED, None)
    assert isinstance(await world.claim("t1", "s1"), Gone)
    await world.later(3_999)
    assert await world.state("t1") is TaskState.SCHEDULED
    await world.later(1)
    assert await world.state("t1") is TaskState.PENDING


async def test_a_run_at_in_the_past_means_now(world: World) -> None:
    assert (await world.given_task("t1", run_at_ms=world.now - 1)).state is TaskState.PENDING


@pytest.mark.parametrize("past", [0, 1])
async def test_a_deadline_that_is_over_is_refused(world: World, past: int) -> None:
    with pytest.raises(Invalid) as refused:
        await world.given_task("t1", deadline_ms=world.now - past)
    assert refused.value.field == "deadline"
    assert (await world.store.tasks.get("t1"))[0] is None


async def test_any_bytes_of_payload_reach_the_grant_unchanged(world: World) -> None:
    payload = '{"text": "\\u0000 ☃", "list": [1,2, 3]}'.encode()
    task: NewTask = new_task("t1", payload=payload, spec=b'{"z":[]}')
    await world.store.tasks.create(task, gateway=GATEWAY)
    await world.given_server("s1")
    await world.advance(300)
    grant = await world.start("t1", "s1")
    assert (grant.payload, grant.spec) == (payload, b'{"z":[]}')
