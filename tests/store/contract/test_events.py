"""What watchers are told: the task's own updates, the fleet's stream, and the inbox of each gateway."""

from dispatcher.domain.event import FleetEvent, InboxMessage
from dispatcher.domain.failure import Verdict
from dispatcher.domain.transitions import TaskState
from tests.store.world import ORIGIN, World, by, done, new_task


async def test_every_change_is_an_update_in_order(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await world.store.tasks.progress("t1", by(grant), 25.0)
    await world.end(grant, Verdict.FAILURE, retry_delay_ms=0)
    await world.tick()
    await world.end(await world.start("t1", "s1"), done())
    updates, trimmed = await world.store.tasks.updates("t1", 0)
    assert not trimmed
    assert [u.rev for u in updates] == list(range(1, len(updates) + 1))
    assert [(u.state, u.fence) for u in updates] == [
        (TaskState.PENDING, 0), (TaskState.PROCESSING, 1), (TaskState.PROCESSING, 1), (TaskState.RETRYING, 1),
        (TaskState.PENDING, 1), (TaskState.PROCESSING, 2), (TaskState.COMPLETED, 2),
    ]  # fmt: skip
    assert [u.progress for u in updates] == [0, 0, 25, 25, 25, 25, 100]
    assert [u.server_id for u in updates] == [None] + ["s1"] * 6
    task = await world.task("t1")
    assert (updates[-1].rev, updates[-1].at_ms, updates[-1].task_id) == (task.rev, task.updated_ms, "t1")


async def test_updates_resume_after_a_revision(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1")
    assert [u.rev for u in (await world.store.tasks.updates("t1", 1))[0]] == [2]
    assert await world.store.tasks.updates("t1", 2) == ([], False)
    assert await world.store.tasks.updates("nothing", 0) == ([], False)


async def test_the_last_64_updates_are_kept(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    for n in range(1, 71):
        await world.store.tasks.progress("t1", by(grant), float(n))
    updates, trimmed = await world.store.tasks.updates("t1", 0)
    assert trimmed
    assert [u.rev for u in updates] == list(range(9, 73))
    assert not (await world.store.tasks.updates("t1", 8))[1]
    assert (await world.store.tasks.updates("t1", 7))[1]


async def test_the_fleets_stream_tells_of_tasks_servers_and_the_balancer(world: World) -> None:
    async with world.events() as reader:
        await world.given_server("s1")
        await world.running("t1", "s1")
        await world.store.servers.set_algorithm("random", by="root")
        task: FleetEvent = await reader.until(lambda e: e.type.startswith("task") and e.fields["state"] == "PROCESSING")
        assert (task.fields["id"], task.fields["origin"], task.fields["rev"]) == ("t1", ORIGIN, "2")
        assert (task.fields["tenant"], task.fields["sub"]) == ("acme", "ann")
        await reader.until(lambda e: e.type.startswith("server") and e.fields["id"] == "s1")
        switch = await reader.until(lambda e: e.fields.get("algorithm") == "random")
        assert switch.type.startswith("balancer")
        assert switch.fields["by"] == "root"
        ids = [e.id for e in reader.seen]
        assert len(set(ids)) == len(ids)


async def test_the_end_reaches_every_waiter(world: World) -> None:
    async with world.inbox("gw_1") as one, world.inbox("gw_2") as two:
        await world.given_server("s1")
        task_id = "t1"
        await world.store.tasks.create(new_task(task_id), gateway="gw_1", waiter=True)
        assert await world.store.tasks.watch(task_id, "gw_2")
        await world.end(await world.start(task_id, "s1"), done())
        ended = InboxMessage("ended", task_id)
        assert await one.until(lambda m: m == ended)
        assert await two.until(lambda m: m == ended)
    assert not await world.store.tasks.watch(task_id, "gw_1")
    assert not await world.store.tasks.watch("nothing", "gw_1")


async def test_a_freed_server_wakes_a_gateway_when_work_waits(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t1", "s1")
    await world.given_task("t2")
    async with world.inbox() as reader:
        await world.end(grant, done())
        assert await reader.until(lambda m: m.kind == "wake")


async def test_a_new_server_wakes_a_gateway_when_work_waits(world: World) -> None:
    await world.given_task("t1")
    async with world.inbox() as reader:
        await world.given_server("s1")
        assert await reader.until(lambda m: m.kind == "wake")


async def test_the_end_of_a_maintenance_wakes_a_gateway(world: World) -> None:
    await world.given_server("s1")
    await world.store.servers.set_maintenance("s1", True, "x")
    await world.given_task("t1")
    async with world.inbox() as reader:
        await world.store.servers.set_maintenance("s1", False, "")
        assert await reader.until(lambda m: m.kind == "wake")
