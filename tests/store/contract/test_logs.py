"""What running tasks say."""

import pytest

from dispatcher.domain.errors import AlreadyEnded, Forbidden, NotFound, StaleAttempt
from dispatcher.domain.failure import Verdict
from dispatcher.domain.log import LogPage, LogStream, NewLine
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAdmin, ByHolder, Reporter
from dispatcher.domain.transitions import TaskState
from dispatcher.store.options import StoreOptions
from tests.store.conftest import OpenWorld
from tests.store.world import ORIGIN, OWNER, World, by, done


def lines(*texts: str, stream: LogStream = LogStream.STDOUT) -> list[NewLine]:
    return [NewLine(stream, text) for text in texts]


async def append(world: World, task_id: str, who: Reporter, some: list[NewLine], *, first: int) -> int:
    return await world.store.logs.append(task_id, who, some, origin=ORIGIN, first=first)


async def read(world: World, task_id: str = "t1", after: int = 0, limit: int = 1000) -> LogPage:
    return (await world.store.logs.read({task_id: after}, limit=limit))[task_id]


def told(page: LogPage) -> list[tuple[int, str]]:
    return [(line.seq, line.text) for line in page.lines]


async def test_lines_are_kept_in_their_order(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    assert await read(world) == LogPage((), 0, 0)
    assert await append(world, "t1", by(grant), lines("a\tb", "ä€"), first=1) == 3
    await world.advance(5)
    late = [NewLine(LogStream.STDERR, "", at_ms=7, partial=True)]
    assert await append(world, "t1", ByHolder("s1"), late, first=3) == 4
    page = await read(world)
    assert told(page) == [(1, "a\tb"), (2, "ä€"), (3, "")]
    assert [line.at_ms for line in page.lines] == [world.now - 5, world.now - 5, 7]
    assert [(line.fence, line.rank) for line in page.lines] == [(1, None)] * 3
    assert page.lines[2].stream is LogStream.STDERR
    assert [line.partial for line in page.lines] == [False, False, True]
    assert (page.lost, page.last, page.ended) == (0, 3, None)
    assert told(await read(world, after=1, limit=1)) == [(2, "ä€")]
    assert told(await read(world, after=9)) == []


async def test_a_batch_sent_again_is_taken_once(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    for first, texts in ((1, "abc"), (1, "abc"), (2, "bcd"), (2, "b"), (5, "e")):
        await append(world, "t1", by(grant), lines(*texts), first=first)
    assert told(await read(world)) == [(n, text) for n, text in enumerate("abcde", 1)]


async def test_the_next_attempt_counts_anew(world: World) -> None:
    await world.given_server("s1")
    first = await world.running("t1", "s1")
    await append(world, "t1", by(first), lines("a", "b"), first=1)
    await world.end(first, Verdict.RELEASED)
    with pytest.raises(StaleAttempt):  # nobody has it
        await append(world, "t1", by(first), lines("c"), first=3)
    await world.store.tasks.pause("t1", origin=ORIGIN, owner=None)
    with pytest.raises(StaleAttempt):
        await append(world, "t1", by(first), lines("c"), first=3)
    await world.store.tasks.resume("t1", origin=ORIGIN, owner=None)
    second = await world.start("t1", "s1")
    with pytest.raises(StaleAttempt):
        await append(world, "t1", by(first), lines("c"), first=3)
    assert await append(world, "t1", by(second), lines("A"), first=1) == 2
    page = await read(world)
    assert [(line.fence, line.text) for line in page.lines] == [(1, "a"), (1, "b"), (2, "A")]


async def test_who_may_add_lines(world: World) -> None:
    await world.given_server("s1")
    await world.given_server("s2")
    grant = await world.running("t1", "s1")
    await append(world, "t1", ByAdmin(), lines("a"), first=1)
    with pytest.raises(Forbidden):
        await append(world, "t1", ByHolder("s2"), lines("b"), first=2)
    with pytest.raises(NotFound):
        await append(world, "nothing", ByAdmin(), lines("b"), first=1)
    with pytest.raises(NotFound):
        await world.store.logs.append("t1", ByAdmin(), lines("b"), origin="jobs", first=2)
    await world.end(grant, done())
    with pytest.raises(AlreadyEnded):
        await append(world, "t1", by(grant), lines("b"), first=2)
    page = await read(world)
    assert (told(page), page.ended, page.complete) == ([(1, "a")], TaskState.COMPLETED, True)


async def test_the_oldest_lines_go_first(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(log_lines_max=100, log_bytes_max=1_000))
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await append(world, "t1", by(grant), lines(*map(str, range(1, 301))), first=1)
    page = await read(world)
    assert (len(page.lines), page.lines[0].seq, page.lost, page.last) == (100, 201, 200, 300)
    assert (await read(world, after=150)).lost == 50
    assert (await read(world, after=250)).lost == 0
    await append(world, "t1", by(grant), lines("x" * 598, "y" * 398), first=301)  # 600 + 400 bytes
    assert [seq for seq, _ in told(await read(world))] == [301, 302]
    await append(world, "t1", by(grant), lines("z"), first=303)
    assert [seq for seq, _ in told(await read(world))] == [302, 303]


async def test_a_tenant_has_so_much_room_for_all_its_tasks(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(tenant_log_bytes_max=1_000, log_bytes_least=300))
    await world.given_server("s1")
    first, second = await world.running("t1", "s1"), await world.running("t2", "s1")
    foreign = await world.running("t3", "s1", owner=Owner("other", "ann"))
    for grant in (first, second, foreign):
        for n in range(8):
            await append(world, grant.task_id, by(grant), lines("x" * 98), first=n + 1)
    assert [len((await read(world, name)).lines) for name in ("t1", "t2", "t3")] == [8, 3, 8]
    await world.end(first, done())
    await world.store.tasks.delete("t1", origin=ORIGIN, owner=OWNER)
    await append(world, "t2", by(second), lines(*["x" * 98] * 4), first=9)
    page = await read(world, "t2")
    assert (len(page.lines), page.lost) == (7, 5)


async def test_long_lines_make_short_pages(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await append(world, "t1", by(grant), lines(*["x" * 10_000] * 600), first=1)
    assert len((await read(world)).lines) == 128
    assert len((await read(world, after=128, limit=300)).lines) == 128
    assert len((await read(world, after=512)).lines) == 88


async def test_all_pages_share_the_room_of_an_answer(world: World) -> None:
    await world.given_server("s1")
    for name, text in (("t1", "x" * 10_000), ("t2", "y"), ("t3", "")):
        grant = await world.running(name, "s1")
        await append(world, name, by(grant), lines(*[text] * 120) if text else [], first=1)
        await world.end(grant, done())
    found = await world.store.logs.read({"t1": 0, "t2": 0, "t3": 0}, limit=200)
    assert [(name, len(page.lines), page.complete) for name, page in found.items()] == [
        ("t1", 120, True), ("t2", 0, False), ("t3", 0, True),
    ]  # fmt: skip
    assert (await read(world, "t2")).complete


async def test_many_logs_are_read_at_once(world: World) -> None:
    await world.given_server("s1")
    for name in ("t1", "t2"):
        grant = await world.running(name, "s1")
        await append(world, name, by(grant), lines("a", name), first=1)
    found = await world.store.logs.read({"t1": 1, "t2": 2, "nothing": 0}, limit=10)
    assert {name: told(page) for name, page in found.items()} == {"t1": [(2, "t1")], "t2": []}


async def test_a_log_goes_with_its_task(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await append(world, "t1", by(grant), lines("a"), first=1)
    await world.end(grant, done())
    await world.store.tasks.delete("t1", origin=ORIGIN, owner=OWNER)
    assert await world.store.logs.read({"t1": 0}, limit=10) == {}
    if hasattr(world.store, "client"):
        assert [key async for key in world.store.client.scan_iter(f"{world.store.logs._run.root}log*")] == []  # type: ignore[attr-defined]


async def test_a_worker_need_not_know_by_which_api_a_task_came(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1", origin="other")
    assert await world.store.logs.append("t1", ByHolder("s1"), lines("a"), origin=None, first=1) == 2
    with pytest.raises(NotFound):
        await append(world, "t1", ByHolder("s1"), lines("b"), first=2)
    assert told(await read(world)) == [(1, "a")]


async def test_a_log_that_went_before_its_count(open_world: OpenWorld) -> None:
    """A server that is short of memory may drop one key and keep the other."""
    world = await open_world(StoreOptions(tenant_log_bytes_max=1_000, log_bytes_least=300))
    if not hasattr(world.store, "client"):
        return
    await world.given_server("s1")
    first, second = await world.running("t1", "s1"), await world.running("t2", "s1")
    batch = lines(*["x" * 98] * 8)
    await append(world, "t1", by(first), batch, first=1)
    await append(world, "t2", by(second), batch, first=1)
    await world.store.client.delete(f"{world.store.logs._run.root}log:t1")  # type: ignore[attr-defined]
    await append(world, "t1", by(first), batch, first=1)
    await append(world, "t2", by(second), batch, first=9)
    assert len((await read(world, "t2")).lines) == 10, "all of the room is its own"
