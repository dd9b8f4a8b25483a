"""Counts: written with the fact itself, so that at any instant all sums agree."""

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.principal import Owner
from dispatcher.domain.stats import NO_SERVER, Counts, DayStats
from dispatcher.domain.transitions import TaskState
from tests.store.world import ORIGIN, OWNER, World, done

TODAY = "2023-11-14"  # where the clock of the tests starts: 22:13:20
TOMORROW = "2023-11-15"


async def live(world: World, owner: Owner | None = None) -> int:
    return sum((await world.store.stats.waiting(ORIGIN, owner, None)).values())


async def conserved(world: World, owner: Owner | None = None) -> Counts:
    totals = await world.store.stats.totals(ORIGIN, owner)
    assert totals.created + totals.reopened - totals.ended == await live(world, owner)
    return totals


async def some_of_everything(world: World) -> None:
    """Two servers and a task for each way to end."""
    await world.given_server("s1", max_concurrent=20)
    await world.given_server("s2", max_concurrent=20)
    for n in range(2):
        grant = await world.running(f"ok{n}", f"s{n + 1}")
        await world.advance(100 * (n + 1))
        await world.end(grant, done())
    await world.end(await world.running("bad", "s1"), Verdict.FAILED)
    await world.given_task("thrice", attempts_max=1)
    await world.end(await world.start("thrice", "s2"), Verdict.FAILURE)
    await world.end(await world.running("again", "s1"), Verdict.FAILURE, retry_delay_ms=900_000)
    await world.end(await world.running("lost", "s1"), Verdict.LOST)
    await world.running("runs", "s1")
    await world.running("stop", "s2")
    await world.store.tasks.cancel("stop", origin=ORIGIN, owner=None)
    await world.given_task("never", owner=Owner("acme", "bob"))
    await world.store.tasks.cancel("never", origin=ORIGIN, owner=None)
    await world.given_task("late", deadline_ms=world.now + 1_000)
    await world.later(1_000)
    await world.given_task("waits", capabilities=["tpu"])
    await world.given_task("planned", run_at_ms=world.now + 90_000)


async def test_what_happened_is_counted(world: World) -> None:
    await some_of_everything(world)
    totals = await conserved(world)
    assert totals == Counts(
        created=12, completed=2, failed=3, cancelled=2, attempt_failures=3, timed=4, duration_ms=300
    )
    assert await world.store.stats.waiting(ORIGIN, None, None) == {
        TaskState.SCHEDULED: 1, TaskState.PENDING: 2, TaskState.PROCESSING: 1, TaskState.RETRYING: 1,
        TaskState.PAUSED: 0,
    }  # fmt: skip


async def test_servers_and_none_sum_up_to_all(world: World) -> None:
    await some_of_everything(world)
    stats = world.store.stats
    by_server = await stats.servers_day(TODAY, ["s1", "s2", NO_SERVER])
    assert by_server[NO_SERVER] == Counts(failed=1, cancelled=1)
    assert by_server["s1"] == Counts(completed=1, failed=1, attempt_failures=2, timed=2, duration_ms=100)
    assert by_server["s2"] == Counts(completed=1, failed=1, cancelled=1, attempt_failures=1, timed=2, duration_ms=200)
    everything = (await stats.day(ORIGIN, None, TODAY)).total
    assert sum(by_server.values(), Counts(created=12)) == everything
    for server_id, counts in by_server.items():
        assert await stats.server_totals(server_id) == counts
    assert await stats.busiest(TODAY, 5) == ["s2", "s1"]
    assert await stats.busiest(TODAY, 1) == ["s2"]
    assert await stats.busiest("2020-01-01", 5) == []


async def test_each_owner_has_counts_of_its_own(world: World) -> None:
    await some_of_everything(world)
    bob = Owner("acme", "bob")
    assert await conserved(world, bob) == Counts(created=1, cancelled=1)
    mine, all_of_it = await conserved(world, OWNER), await conserved(world)
    assert mine + await conserved(world, bob) == all_of_it
    assert await world.store.stats.totals("farm", None) == Counts()
    assert await world.store.stats.totals(ORIGIN, Owner("acme", "nobody")) == Counts()


async def test_hours_and_days(world: World) -> None:
    await world.given_server("s1", health="http://h")
    await world.given_task("t1")
    await world.advance(3_600_000)  # 23:13
    grant = await world.start("t1", "s1")
    await world.advance(3_600_000)  # 00:13 of the next day
    await world.end(grant, done())
    today = await world.store.stats.day(ORIGIN, OWNER, TODAY)
    tomorrow = await world.store.stats.day(ORIGIN, OWNER, TOMORROW)
    assert (today.date, len(today.hours), today.hours[22]) == (TODAY, 24, Counts(created=1))
    assert tomorrow.hours[0] == Counts(completed=1, timed=1, duration_ms=3_600_000)
    assert tomorrow.total == tomorrow.hours[0]
    assert await world.store.stats.day(ORIGIN, OWNER, "2020-02-29") == DayStats("2020-02-29")


async def test_what_of_a_day_still_waits(world: World) -> None:
    await world.given_task("t1")
    await world.advance(7_200_000)
    await world.given_task("t2")
    await world.given_task("t3")
    stats = world.store.stats
    assert (await stats.waiting(ORIGIN, OWNER, TODAY))[TaskState.PENDING] == 1
    assert (await stats.waiting(ORIGIN, OWNER, TOMORROW))[TaskState.PENDING] == 2
    assert (await stats.waiting(ORIGIN, OWNER, None))[TaskState.PENDING] == 3
    assert (await stats.waiting(ORIGIN, Owner("x", "y"), None))[TaskState.PENDING] == 0


async def test_a_retry_is_counted_as_reopened(world: World) -> None:
    await world.given_server("s1")
    await world.end(await world.running("t1", "s1"), Verdict.FAILED)
    await world.store.tasks.retry("t1", origin=ORIGIN, owner=OWNER, waiting_ms=None)
    totals = await conserved(world)
    assert (totals.created, totals.reopened, totals.failed) == (1, 1, 1)


async def test_a_time_out_and_a_poisoned_task_have_no_duration(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1", attempts_max=1)
    await world.end(await world.start("t1", "s1"), Verdict.TIMED_OUT)
    for _ in range(3):
        await world.advance(300)
        if (await world.store.tasks.get("t2"))[0] is None:
            await world.given_task("t2")
        await world.end(await world.start("t2", "s1"), Outcome(Verdict.LOST))
    assert await world.store.stats.totals(ORIGIN, None) == Counts(created=2, failed=2, attempt_failures=4)


async def test_deleting_a_task_leaves_the_counts(world: World) -> None:
    await world.given_task("t1")
    await world.store.tasks.cancel("t1", origin=ORIGIN, owner=None)
    await world.store.tasks.delete("t1", origin=ORIGIN, owner=None)
    assert await conserved(world) == Counts(created=1, cancelled=1)


async def test_uptime_is_the_share_of_minutes_with_a_sign_of_life(world: World) -> None:
    await world.given_server("s1")
    for _ in range(3):
        await world.advance(60_000)
        await world.beat("s1")
    _, share = await world.store.stats.server_day("s1", TODAY)
    assert share == 1.0
    await world.advance(240_000)
    day, share = await world.store.stats.server_day("s1", TODAY)
    assert (day, share) == (DayStats(TODAY), 0.5)
    await world.store.servers.probed("s1", True)
    assert (await world.store.stats.server_day("s1", TODAY))[1] == 5 / 8
    assert (await world.store.stats.server_day("s1", "2020-01-01"))[1] == 0.0
