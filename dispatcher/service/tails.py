"""The logs that are followed on this gateway, and one reader of what comes for all of them."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from dispatcher.domain.errors import DispatchError, NotFound, Unavailable
from dispatcher.domain.log import LogPage, with_marker
from dispatcher.service.background import Background
from dispatcher.service.followed_log import PAGE, FollowedLog
from dispatcher.service.ports import LogStore
from dispatcher.service.retry import Sleep

EVERY_S = 0.05  # between two looks for what is new
AFTER_FAULT_S = 0.5
TASKS_AT_ONCE = 128
READS_AT_ONCE = 4  # of 1 MiB, by followers that are behind: their number must not hold up the scripts that place tasks


class Follower:
    """The lines of one task from a number on, in their order and each once, at the speed of its reader.

    It holds a place and no lines, so that a burst cannot overrun it: what is no longer held for all is read from the
    store. What that has dropped meanwhile, a line of the gateway's own tells.
    """

    def __init__(self, tails: "Tails", task_id: str, after: int) -> None:
        self.at = after
        self._task_id = task_id
        self._tails = tails
        self._log: FollowedLog | None = None
        self._placed = False

    async def next(self) -> LogPage:
        """The next lines, at least one; or the page that is `complete`: then there will be no more. May be cancelled
        and called again. Raises NotFound when the task is gone, Unavailable."""
        log = self._log = self._log or self._tails.enter(self._task_id)
        while log.failure is None:
            news = log.news  # before the look, so that none is missed
            page = log.ready(self.at)
            if page is None and not log.caught_up(self.at):
                try:
                    page = await log.read(self.at)
                except Unavailable:
                    if not self._placed:
                        raise
                    await self._tails.rest()
                    continue
            if page is not None:
                self._move(page)
                if page.lines or page.complete:
                    return replace(page, lines=with_marker(page))
            await self._tails.wait(log, news)
        raise log.failure

    def close(self) -> None:
        if self._log is not None:
            self._tails.leave(self._log)
            self._log = None

    def _move(self, page: LogPage) -> None:
        if page.last < self.at and self._placed:
            raise Unavailable("The log has lost lines: connect again")
        self._placed = True
        self.at = page.lines[-1].seq if page.lines else min(self.at, page.last)  # it may be a number from nowhere


class Tails:
    """Of each followed log `held` of its newest lines. The reader looks at those logs that a follower waits for, so
    that each is read no faster than its fastest follower takes it."""

    def __init__(self, logs: LogStore, *, held: int = 1_000, sleep: Sleep = asyncio.sleep) -> None:
        self._store = logs
        self._held = held
        self._sleep = sleep
        self._logs: dict[str, FollowedLog] = {}
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._background = Background()
        self._running = False
        self._draining = False

    def __len__(self) -> int:
        """How many logs are followed."""
        return len(self._logs)

    def follow(self, task_id: str, after: int) -> Follower:
        """To be closed. Raises Unavailable while this gateway stops."""
        if self._draining:
            raise _stopping()
        return Follower(self, task_id, after)

    async def drain(self) -> None:
        """Let go of all followers: they resume at another gateway."""
        self._draining = True
        self._fail_all(_stopping())
        await self._background.close()

    def enter(self, task_id: str) -> FollowedLog:
        """Called by a follower. Raises Unavailable."""
        if self._draining:
            raise _stopping()
        log = self._logs.get(task_id)
        if log is None:
            log = self._logs[task_id] = FollowedLog(task_id, self._read, self._held)
        log.followers += 1
        return log

    def leave(self, log: FollowedLog) -> None:
        log.followers -= 1
        if not log.followers and self._logs.get(log.task_id) is log:
            del self._logs[log.task_id]

    async def wait(self, log: FollowedLog, news: asyncio.Event) -> None:
        """Called by a follower that has caught up: look for what comes, until there is news."""
        if not self._running and not news.is_set():
            self._running = True
            self._background.spawn(self._run())
        log.waiting += 1
        try:
            await news.wait()
        finally:
            log.waiting -= 1

    async def rest(self) -> None:
        """Called by a follower when the store is out of reach."""
        await self._sleep(AFTER_FAULT_S)

    async def _read(self, task_id: str, after: int) -> LogPage:
        """Raises NotFound."""
        async with self._reads:
            found = await self._store.read({task_id: after}, limit=PAGE)
        if task_id not in found:
            raise NotFound(f"Task not found: {task_id}")
        return found[task_id]

    async def _run(self) -> None:
        try:
            while self._logs:
                try:
                    for some in _chunks(log for log in self._logs.values() if log.waiting):
                        await self._look(some)
                except Unavailable:
                    await self._sleep(AFTER_FAULT_S)
                    continue
                await self._sleep(EVERY_S)
        except Exception:
            self._fail_all(DispatchError("An unexpected error occurred"))
            raise
        finally:
            self._running = False

    async def _look(self, logs: list[FollowedLog]) -> None:
        """Take in what is new in some logs. When there was more than fits a page, and for what is odd (an end, no such
        task), the followers read on by themselves."""
        asked = {log.task_id: log.at for log in logs}
        found = await self._store.read(asked, limit=PAGE)
        for log in logs:
            at, page = asked[log.task_id], found.get(log.task_id)
            log.note(at, page, at)
            if page is None or page.lines or page.last != at or page.ended is not None:
                log.wake()

    def _fail_all(self, error: DispatchError) -> None:
        for log in self._logs.values():
            log.fail(error)
        self._logs.clear()


def _chunks(logs: Iterable[FollowedLog]) -> Iterator[list[FollowedLog]]:
    rest = iter(list(logs))
    while some := list(islice(rest, TASKS_AT_ONCE)):
        yield some


def _stopping() -> Unavailable:
    return Unavailable("This gateway stops: connect again and resume")
