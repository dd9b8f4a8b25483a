"""Local fan-out of the fleet's stream to the sockets of this gateway."""

import asyncio

from dispatcher.domain.event import FleetEvent, TaskUpdate
from dispatcher.service.ports import TaskStore


class Subscription:
    """The tasks that one socket watches, and which of them have news.

    News of one task that was not fetched yet is not queued twice. When `maxsize` tasks have news that nobody fetches,
    or the stream was interrupted, `lagged` is set: the socket then looks at all its tasks and calls `caught_up`.
    """

    def __init__(self, watch: "Watch", maxsize: int) -> None:
        self._watch = watch
        self._maxsize = maxsize
        self._news: dict[str, None] = {}  # an ordered set
        self._wake = asyncio.Event()
        self.tasks: set[str] = set()
        self.lagged = False

    def add(self, task_id: str) -> None:
        self.tasks.add(task_id)
        self._watch.attach(task_id, self)

    def remove(self, task_id: str) -> None:
        self.tasks.discard(task_id)
        self._news.pop(task_id, None)
        self._watch.detach(task_id, self)

    def close(self) -> None:
        """Watch nothing any more."""
        for task_id in list(self.tasks):
            self.remove(task_id)
        self._watch.forget(self)

    def tell(self, task_id: str) -> None:
        """Called by `Watch`: the task has changed."""
        if task_id not in self._news and len(self._news) >= self._maxsize:
            self.lag()
            return
        self._news[task_id] = None
        self._wake.set()

    def lag(self) -> None:
        """Called when news was lost."""
        self.lagged = True
        self._wake.set()

    def caught_up(self) -> None:
        """The socket has looked at all its tasks, or is about to."""
        self.lagged = False
        self._news.clear()

    async def next(self) -> str | None:
        """The id of a task that changed, oldest news first; None when `lagged` has been set."""
        while not self._news and not self.lagged:
            self._wake.clear()
            await self._wake.wait()
        if self.lagged:
            return None
        task_id = next(iter(self._news))
        del self._news[task_id]
        return task_id


class Watch:
    """Which subscriptions watch which task. Whether a caller may see a task is for `Tasks.get` to say."""

    def __init__(self, tasks: TaskStore) -> None:
        self._tasks = tasks
        self._watching: dict[str, set[Subscription]] = {}
        self._all: set[Subscription] = set()

    def subscribe(self, maxsize: int = 256) -> Subscription:
        """A new subscription, without any task; to be closed."""
        subscription = Subscription(self, maxsize)
        self._all.add(subscription)
        return subscription

    def publish(self, event: FleetEvent) -> None:
        """Tell those who watch the task of this event; other events are not for them."""
        if (task_id := event.task_id) is not None:
            for subscription in self._watching.get(task_id, ()):
                subscription.tell(task_id)

    def interrupted(self) -> None:
        """The stream had a gap: everybody must look for themselves."""
        for subscription in self._all:
            subscription.lag()

    async def updates(self, task_id: str, after_rev: int) -> tuple[list[TaskUpdate], bool]:
        """The task's updates after a revision, oldest first; True when some in between were already trimmed."""
        return await self._tasks.updates(task_id, after_rev)

    def attach(self, task_id: str, subscription: Subscription) -> None:
        self._watching.setdefault(task_id, set()).add(subscription)

    def detach(self, task_id: str, subscription: Subscription) -> None:
        watching = self._watching.get(task_id, set())
        watching.discard(subscription)
        if not watching:
            self._watching.pop(task_id, None)

    def forget(self, subscription: Subscription) -> None:
        self._all.discard(subscription)

    def __len__(self) -> int:
        """How many tasks are watched."""
        return len(self._watching)
