"""What must hold whatever the dialect and the transport."""

from collections.abc import Awaitable, Callable

from tests.dialects.conformance.driver import ACCEPTED, Driver

NOWHERE = "00000000-0000-4000-8000-000000000000"


async def submit_run_complete(driver: Driver) -> None:
    expected = driver.expected
    status, task_id = await driver.submit()
    assert status == expected.submitted
    assert await driver.see(task_id) == (200, expected.waiting)
    worker = await driver.worker("w1")
    held = await worker.take()
    assert held is not None
    assert (held.task_id, held.attempt) == (task_id, 1)
    assert await driver.see(task_id) == (200, expected.running)
    assert await worker.end(held, "completed") == ACCEPTED
    assert await driver.see(task_id) == (200, expected.completed)
    assert await worker.take() is None


async def fail_then_retry(driver: Driver) -> None:
    worker, held = await driver.given()
    assert await worker.end(held, "failed") == ACCEPTED
    assert await driver.see(held.task_id) == (200, driver.expected.failed)
    assert await driver.retry(held.task_id) == 200
    again = await worker.take()
    assert again is not None
    assert again.task_id == held.task_id
    assert again.attempt > held.attempt
    assert await worker.end(again, "completed") == ACCEPTED
    assert await driver.see(held.task_id) == (200, driver.expected.completed)


async def cancel_while_waiting(driver: Driver) -> None:
    _, task_id = await driver.submit()
    assert await driver.cancel(task_id) == 200
    assert await driver.see(task_id) == (200, driver.expected.cancelled)
    assert await driver.cancel(task_id) == driver.expected.cancelled_again
    worker = await driver.worker("w1")
    assert await worker.take() is None


async def cancel_while_running(driver: Driver) -> None:
    expected = driver.expected
    worker, held = await driver.given()
    assert await driver.cancel(held.task_id) == expected.cancel_running
    if expected.cancel_running == 200:
        assert await worker.is_stopped(held)
        assert await worker.end(held, "completed") == expected.stopped
        assert await driver.see(held.task_id) == (200, expected.cancelled)
    else:
        assert not await worker.is_stopped(held)
        assert await worker.end(held, "completed") == ACCEPTED
        assert await driver.see(held.task_id) == (200, expected.completed)


async def dead_worker(driver: Driver) -> None:
    dead, held = await driver.given()
    alive = await driver.worker("w2")
    await dead.die()
    await driver.later(driver.expected.lease_ms - 10_000, alive)
    assert await driver.see(held.task_id) == (200, driver.expected.running)
    await driver.later(15_000, alive)
    again = await alive.take()
    assert again is not None
    assert (again.task_id, again.attempt) == (held.task_id, 2)
    assert await dead.end(held, "completed") == driver.expected.late
    assert await driver.see(held.task_id) == (200, driver.expected.running)
    assert await alive.end(again, "completed") == ACCEPTED
    assert await driver.see(held.task_id) == (200, driver.expected.completed)


async def foreign_ids(driver: Driver) -> None:
    worker, held = await driver.given()
    for task_id, caller in ((held.task_id, "b"), (held.task_id, "foreign"), (NOWHERE, "a"), ("..", "a")):
        assert (await driver.see(task_id, caller))[0] == 404
        assert await driver.cancel(task_id, caller) == 404
        if "fail_then_retry" not in driver.absent:
            assert await driver.retry(task_id, caller) == 404
    assert await driver.page(0, 10, "b") == ([], 0)
    other = await driver.worker("w2")
    assert await other.end(held, "completed") == driver.expected.foreign
    assert await driver.see(held.task_id) == (200, driver.expected.running)
    assert await worker.end(held, "completed") == ACCEPTED


async def bad_input(driver: Driver) -> None:
    assert driver.bad_bodies
    for body in driver.bad_bodies:
        assert (await driver.submit(body=body))[0] == 400, body
    assert await driver.page(0, 10) == ([], 0)


async def who_may(driver: Driver) -> None:
    assert (await driver.submit(None))[0] == 401
    assert (await driver.submit("garbage"))[0] == 401
    assert (await driver.submit("worker"))[0] == 403
    assert await driver.work_as(None) == 401
    assert await driver.work_as("a") == 403
    _, task_id = await driver.submit()
    assert (await driver.see(task_id, None))[0] == 401
    assert (await driver.see(task_id, "admin"))[0] == 200


async def repeats(driver: Driver) -> None:
    first = await driver.submit(key="k1")
    assert await driver.submit(key="k1") == first
    assert (await driver.submit(key="k1", body=driver.another_body()))[0] == 422
    assert await driver.page(0, 10) == ([first[1]], 1)
    worker = await driver.worker("w1")
    held = await worker.take()
    assert held is not None
    assert [await worker.end(held, "completed") for _ in range(2)] == [ACCEPTED, ACCEPTED]
    assert await worker.end(held, "failed") == driver.expected.other_end
    assert await driver.see(held.task_id) == (200, driver.expected.completed)


async def paging(driver: Driver) -> None:
    made = []
    for _ in range(5):
        made.append((await driver.submit())[1])
        driver.world.clock.advance(1_000)
    await driver.submit("b")
    pages = [await driver.page(number, 2) for number in range(4)]
    assert [ids for ids, _ in pages] == [made[:2:-1], made[2:0:-1], made[:1], []]
    assert {total for _, total in pages} == {5}


SCENARIOS: dict[str, Callable[[Driver], Awaitable[None]]] = {
    scenario.__name__: scenario
    for scenario in (
        submit_run_complete,
        fail_then_retry,
        cancel_while_waiting,
        cancel_while_running,
        dead_worker,
        foreign_ids,
        bad_input,
        who_may,
        repeats,
        paging,
    )
}
