"""News for sockets."""

import asyncio

from dispatcher.domain.event import FleetEvent
from dispatcher.service.watch import Watch
from tests.service.fakes import FakeTasks


def news(task_id: str, kind: str = "task") -> FleetEvent:
    return FleetEvent("1", kind, {"id": task_id})


async def test_only_watched_tasks_are_told_and_each_once() -> None:
    watch = Watch(FakeTasks())
    one, two = watch.subscribe(), watch.subscribe()
    one.add("t1")
    one.add("t2")
    two.add("t1")
    for task_id in ("t2", "t1", "t2", "t3"):
        watch.publish(news(task_id))
    watch.publish(news("t1", "server"))
    watch.publish(FleetEvent("2", "balancer.changed"))
    assert [await one.next(), await one.next()] == ["t2", "t1"]
    assert await two.next() == "t1"
    for subscription in (one, two):
        waiting = asyncio.create_task(subscription.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


async def test_a_waiting_socket_is_woken() -> None:
    watch = Watch(FakeTasks())
    subscription = watch.subscribe()
    subscription.add("t1")
    waiting = asyncio.create_task(subscription.next())
    await asyncio.sleep(0)
    watch.publish(news("t1"))
    assert await waiting == "t1"


async def test_too_much_news_marks_the_subscription_as_lagged() -> None:
    watch = Watch(FakeTasks())
    subscription = watch.subscribe(maxsize=2)
    for task_id in ("t1", "t2", "t3"):
        subscription.add(task_id)
        watch.publish(news(task_id))
    assert subscription.lagged
    assert await subscription.next() is None
    subscription.caught_up()
    watch.publish(news("t3"))
    assert await subscription.next() == "t3", "news from before the catching up is not told again"


async def test_news_of_the_same_task_needs_no_second_place() -> None:
    watch = Watch(FakeTasks())
    subscription = watch.subscribe(maxsize=1)
    subscription.add("t1")
    watch.publish(news("t1"))
    watch.publish(news("t1"))
    assert not subscription.lagged


async def test_an_interrupted_stream_marks_all() -> None:
    watch = Watch(FakeTasks())
    one, two = watch.subscribe(), watch.subscribe()
    waiting = asyncio.create_task(one.next())
    await asyncio.sleep(0)
    watch.interrupted()
    assert await waiting is None
    assert two.lagged


async def test_what_is_closed_or_removed_leaves_no_trace() -> None:
    watch = Watch(FakeTasks())
    subscription = watch.subscribe()
    subscription.add("t1")
    subscription.add("t2")
    watch.publish(news("t1"))
    subscription.remove("t1")
    watch.publish(news("t1"))
    watch.publish(news("t2"))
    assert await subscription.next() == "t2"
    subscription.close()
    assert len(watch) == 0
    watch.interrupted()
    assert not subscription.lagged


async def test_updates_come_from_the_store() -> None:
    tasks = FakeTasks()
    assert await Watch(tasks).updates("t1", 4) == ([], False)
    assert tasks.asked("updates") == [{"task_id": "t1", "after_rev": 4}]
