"""Reading tasks: one, a page, and nobody else's."""

import pytest

from dispatcher.domain.errors import RateLimited
from dispatcher.domain.failure import Verdict
from dispatcher.domain.principal import Owner
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import RateRule, TaskQuery
from tests.store.world import ORIGIN, OWNER, World, done

BOB = Owner("acme", "bob")


async def ids(world: World, query: TaskQuery) -> tuple[list[str], int]:
    tasks, total = await world.store.tasks.find(query)
    return [task.id for task in tasks], total


async def five_tasks(world: World) -> None:
    await world.given_server("s1")
    for n in range(4):
        await world.given_task(f"t{n}", owner=BOB if n == 3 else OWNER)
        await world.advance(10)
    await world.end(await world.start("t0", "s1"), done())
    await world.start("t1", "s1")
    await world.given_task("other", origin="farm")


async def test_pages_newest_first(world: World) -> None:
    await five_tasks(world)
    assert await ids(world, TaskQuery(ORIGIN, None)) == (["t3", "t2", "t1", "t0"], 4)
    assert await ids(world, TaskQuery(ORIGIN, None, offset=1, limit=2)) == (["t2", "t1"], 4)
    assert await ids(world, TaskQuery(ORIGIN, None, offset=9)) == ([], 4)
    assert await ids(world, TaskQuery("farm", None)) == (["other"], 1)
    assert await ids(world, TaskQuery("none", None)) == ([], 0)


async def test_an_owner_sees_its_own(world: World) -> None:
    await five_tasks(world)
    assert await ids(world, TaskQuery(ORIGIN, BOB)) == (["t3"], 1)
    assert await ids(world, TaskQuery(ORIGIN, OWNER)) == (["t2", "t1", "t0"], 3)
    assert await ids(world, TaskQuery(ORIGIN, Owner("other", "ann"))) == ([], 0)


async def test_by_state(world: World) -> None:
    await five_tasks(world)
    assert await ids(world, TaskQuery(ORIGIN, OWNER, (TaskState.COMPLETED,))) == (["t0"], 1)
    both = (TaskState.PENDING, TaskState.COMPLETED)
    assert await ids(world, TaskQuery(ORIGIN, None, both)) == (["t3", "t2", "t0"], 3)
    assert await ids(world, TaskQuery(ORIGIN, None, both, offset=1, limit=1)) == (["t2"], 3)
    assert await ids(world, TaskQuery(ORIGIN, None, (TaskState.FAILED,))) == ([], 0)


async def test_by_the_server_of_the_last_attempt(world: World) -> None:
    for server_id in ("s1", "s2"):
        await world.given_server(server_id)
    for task_id, owner in (("t1", OWNER), ("t2", BOB), ("t3", OWNER)):
        await world.given_task(task_id, owner=owner, by_server=True, facets=("word",))
        await world.advance(10)
    await world.given_task("t4", facets=("s1",))
    first = await world.start("t1", "s1")
    await world.end(await world.start("t2", "s1"), done())
    assert await ids(world, TaskQuery(ORIGIN, None, facets=("s1",))) == (["t4", "t2", "t1"], 3)
    assert await ids(world, TaskQuery(ORIGIN, BOB, (TaskState.COMPLETED,), facets=("s1",))) == (["t2"], 1)
    assert await ids(world, TaskQuery(ORIGIN, OWNER, facets=("word",))) == (["t3"], 1)
    await world.end(first, Verdict.RELEASED)
    assert await ids(world, TaskQuery(ORIGIN, OWNER, (TaskState.PENDING,), facets=("s1",))) == (["t4", "t1"], 2)
    await world.start("t1", "s2")
    assert await ids(world, TaskQuery(ORIGIN, None, facets=("s1",))) == (["t4", "t2"], 2)
    assert await ids(world, TaskQuery(ORIGIN, OWNER, facets=("s2",))) == (["t1"], 1)
    await world.store.tasks.cancel("t1", origin=ORIGIN, owner=OWNER)
    await world.store.tasks.delete("t1", origin=ORIGIN, owner=OWNER)
    assert await ids(world, TaskQuery(ORIGIN, None, facets=("s2",))) == ([], 0)


async def test_a_page_has_no_results_and_no_attempts(world: World) -> None:
    await five_tasks(world)
    tasks, _ = await world.store.tasks.find(TaskQuery(ORIGIN, OWNER, (TaskState.COMPLETED,)))
    assert (tasks[0].result, tasks[0].attempts) == (None, ())
    full = await world.task("t0")
    assert full.result == b'{"ok":true}'
    assert len(full.attempts) == 1
    light, _ = await world.store.tasks.get("t0", result=False)
    assert light is not None
    assert (light.result, len(light.attempts)) == (None, 1)


async def test_a_read_counts_against_its_rule(world: World) -> None:
    await world.given_task("t1")
    rule = RateRule("read", "acme/ann", 2)
    assert (await world.store.tasks.get("nothing", rate=rule))[0] is None
    task, rate = await world.store.tasks.get("t1", rate=rule)
    assert task is not None
    assert rate is not None
    assert (rate.limit, rate.remaining) == (2, 0)
    with pytest.raises(RateLimited):
        await world.store.tasks.get("t1", rate=rule)


async def test_a_facet_narrows_listings_and_counts(world: World) -> None:
    await world.given_task("t1", facets=("red", "red.big"))
    await world.given_task("t2", facets=("red", "red.small"))
    await world.given_task("t3", facets=("blue",))
    await world.given_task("t4")

    async def find(*facets: str, states: tuple[TaskState, ...] = ()) -> tuple[list[str], int]:
        found, total = await world.store.tasks.find(TaskQuery(ORIGIN, OWNER, states, facets=facets))
        return sorted(task.id for task in found), total

    assert await find("red") == (["t1", "t2"], 2)
    assert await find("red.big", "blue") == (["t1", "t3"], 2)
    assert await find("green") == ([], 0)
    await world.store.tasks.cancel("t1", origin=ORIGIN, owner=OWNER)
    assert await find("red", states=(TaskState.PENDING,)) == (["t2"], 1)
    counts = await world.store.stats.standing(ORIGIN, None, ("", "red"))
    assert (counts[""][TaskState.PENDING], counts[""][TaskState.CANCELLED]) == (3, 1)
    assert (counts["red"][TaskState.PENDING], counts["red"][TaskState.CANCELLED]) == (1, 1)
    assert (await world.store.stats.standing(ORIGIN, Owner("acme", "bob")))[""][TaskState.PENDING] == 0
    await world.store.tasks.delete("t1", origin=ORIGIN, owner=OWNER)
    assert (await world.store.stats.standing(ORIGIN, None, ("red",)))["red"][TaskState.CANCELLED] == 0
