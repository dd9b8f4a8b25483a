"""One reader for all the logs that are followed on this gateway."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from dispatcher.domain.errors import DispatchError, NotFound, Overrun, Unavailable
from dispatcher.domain.log import LogLine, LogPage, with_marker
from dispatcher.service.background import Background
from dispatcher.service.ports import LogStore
from dispatcher.service.retry import Sleep

EVERY_S = 0.05  # between two looks, while there is nothing new
AFTER_FAULT_S = 0.5
TASKS_AT_ONCE = 128
PAGE = 1_000


class Follower:
    """The lines of one task from a number on, in their order and each once: first those that are there, at the speed
    of the reader; then as they come.

    A reader that has not taken `most` lines of what came loses its place.
    """

    def __init__(self, tails: "Tails", task_id: str, after: int, most: int) -> None:
        self.task_id = task_id
        self.at = after
        self._tails = tails
        self._most = most
        self._live = False
        self._lines: deque[LogLine] = deque()
        self._last: LogPage | None = None
        self._failure: DispatchError | None = None
        self._wake = asyncio.Event()

    async def next(self) -> LogPage:
        """The next lines, at least one; or the page that is `complete`: then there will be no more. May be cancelled
        and called again. Raises NotFound when the task is gone, Overrun, Unavailable."""
        while not self._live and self._failure is None:
            page = await self._tails.read(self.task_id, self.at)
            if page.lines or page.complete:
                self.at = page.lines[-1].seq if page.lines else self.at
                return replace(page, lines=with_marker(page))
            self.at = min(self.at, page.last)  # a number from nowhere
            self._live = self._tails.attach(self)
        while not self._lines and self._last is None and self._failure is None:
            self._wake.clear()
            await self._wake.wait()
        if self._failure is not None:
            raise self._failure
        lines = tuple(self._lines)
        self._lines.clear()
        return LogPage(lines, 0, self.at, self._last.ended if self._last is not None else None)

    def close(self) -> None:
        self._tails.detach(self)

    def offer(self, page: LogPage, lines: Iterable[LogLine]) -> None:
        """Called by `Tails`: lines that have come."""
        new = [line for line in lines if line.seq > self.at]
        if self._lines and len(self._lines) + len(new) > self._most:
            self.fail(Overrun("Too slow: connect again and resume"))
            return
        self._lines.extend(new)
        self.at = new[-1].seq if new else self.at
        if page.complete:
            self._last = page
        self._wake.set()

    def fail(self, error: DispatchError) -> None:
        """Called by `Tails`: nothing more will come."""
        self._lines.clear()
        self._failure = error
        self._wake.set()
        self.close()


class Tails:
    """The end of each followed log. Its reader runs while there is a follower who has caught up."""

    def __init__(self, logs: LogStore, *, sleep: Sleep = asyncio.sleep) -> None:
        self._logs = logs
        self._sleep = sleep
        self._at: dict[str, int] = {}  # how far each log was read
        self._followers: dict[str, set[Follower]] = {}
        self._background = Background()
        self._running = False
        self._draining = False

    def __len__(self) -> int:
        """How many logs are followed."""
        return len(self._at)

    def follow(self, task_id: str, after: int, most: int) -> Follower:
        """To be closed. Raises Unavailable while this gateway stops."""
        if self._draining:
            raise _stopping()
        return Follower(self, task_id, after, most)

    async def read(self, task_id: str, after: int) -> LogPage:
        """Raises NotFound."""
        found = await self._logs.read({task_id: after}, limit=PAGE)
        if task_id not in found:
            raise _gone(task_id)
        return found[task_id]

    def attach(self, follower: Follower) -> bool:
        """From now on the follower is given what comes; False when it has to read on first."""
        if self._draining:
            raise _stopping()
        if self._at.setdefault(follower.task_id, follower.at) > follower.at:
            return False
        self._followers.setdefault(follower.task_id, set()).add(follower)
        if not self._running:
            self._running = True
            self._background.spawn(self._run())
        return True

    def detach(self, follower: Follower) -> None:
        others = self._followers.get(follower.task_id)
        if others is None:
            return
        others.discard(follower)
        if not others:
            del self._followers[follower.task_id], self._at[follower.task_id]

    async def drain(self) -> None:
        """Let go of all followers: they resume at another gateway."""
        self._draining = True
        self._fail_all(_stopping())
        await self._background.close()

    async def _run(self) -> None:
        try:
            while self._at:
                try:
                    more = [await self._look(names) for names in _chunks(self._at)]
                except Unavailable:
                    await self._sleep(AFTER_FAULT_S)
                    continue
                await self._sleep(0 if any(more) else EVERY_S)
        except Exception:
            self._fail_all(DispatchError("An unexpected error occurred"))
            raise
        finally:
            self._running = False

    async def _look(self, names: list[str]) -> bool:
        """Hand on what is new in some logs; True when there was more than fits a page."""
        asked = {name: self._at[name] for name in names if name in self._at}
        found = await self._logs.read(asked, limit=PAGE)
        more = False
        for name, at in asked.items():
            if self._at.get(name) != at:  # others follow it by now, from elsewhere
                continue
            page = found.get(name)
            if page is None:
                self._fail(name, _gone(name))
                continue
            if page.last < at:
                self._fail(name, Unavailable("The log has lost lines: connect again"))
            elif page.lines or page.complete:
                self._publish(name, page)
            more = more or (bool(page.lines) and page.lines[-1].seq < page.last)
        return more

    def _publish(self, name: str, page: LogPage) -> None:
        lines = with_marker(page)
        self._at[name] = lines[-1].seq if lines else self._at[name]
        for follower in list(self._followers[name]):
            follower.offer(page, lines)
        if page.complete and name in self._followers:
            del self._followers[name], self._at[name]

    def _fail(self, name: str, error: DispatchError) -> None:
        for follower in list(self._followers.get(name, ())):
            follower.fail(error)

    def _fail_all(self, error: DispatchError) -> None:
        for name in list(self._followers):
            self._fail(name, error)


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(list(names))
    while some := list(islice(rest, TASKS_AT_ONCE)):
        yield some


def _gone(task_id: str) -> NotFound:
    return NotFound(f"Task not found: {task_id}")


def _stopping() -> Unavailable:
    return Unavailable("This gateway stops: connect again and resume")
