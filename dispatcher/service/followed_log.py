"""What a gateway holds of one log that is followed there."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from dispatcher.domain.errors import DispatchError
from dispatcher.domain.log import LogLine, LogPage

PAGE = 1_000  # lines that one read of the store, and one step of a follower, brings at most
HELD_CHARS = 2 << 20  # of all lines held; more than one page of the store has

Read = Callable[[str, int], Awaitable[LogPage]]


class FollowedLog:
    """Its newest lines that were read, without a gap: at most `held` of them, or one page. All its followers share
    them. Who needs older ones, or knows of newer ones, reads the store: one at a time, and who waits for that takes its
    own from what the one before has brought.
    """

    def __init__(self, task_id: str, read: Read, held: int) -> None:
        self.task_id = task_id
        self.at = -1  # number of the newest line held; the end of the log as it was seen
        self.followers = 0
        self.waiting = 0  # of them, for what comes
        self.news = asyncio.Event()  # replaced whenever it is set
        self.failure: DispatchError | None = None
        self._read = read
        self._held = held
        self._lines: deque[LogLine] = deque()
        self._chars = 0
        self._ends_here = False
        self._turn = asyncio.Lock()
        self._queue = 0
        self._brought: tuple[int, LogPage] | None = None  # by the last read, as long as others wait for theirs

    def ready(self, after: int) -> LogPage | None:
        """Lines after a number, of those held; None when they are not."""
        if not self._lines or not self._lines[0].seq - 1 <= after < self.at:
            return None
        start = after + 1 - self._lines[0].seq
        some = tuple(self._lines[n] for n in range(start, min(start + PAGE, len(self._lines))))
        return LogPage(some, 0, self.at)

    def caught_up(self, after: int) -> bool:
        """True when no line followed on this number, and the task went on, as far as is known here."""
        return self._ends_here and after == self.at

    async def read(self, after: int) -> LogPage:
        """Lines after a number, from the store. Raises what it raises."""
        self._queue += 1
        try:
            async with self._turn:
                page = self.ready(after) or self._part_of_brought(after)
                if page is None:
                    seen = self.at
                    page = await self._read(self.task_id, after)
                    self._brought = after, page
                    self.note(after, page, seen)
                    if self.at != seen:
                        self.wake()
                return page
        finally:
            self._queue -= 1
            if not self._queue:
                self._brought = None

    def note(self, after: int, page: LogPage | None, seen: int) -> None:
        """What a read after a number has found; None: no such task. `seen` is `at` when the read began."""
        if page is None:
            self._ends_here = False
            return
        end = page.lines[-1].seq if page.lines else min(after, page.last)
        fewer = page.last < seen  # the store has lost lines
        if end <= self.at and after != self.at and not fewer:
            return
        if after != self.at or page.lost or fewer:
            self._lines.clear()
            self._chars = 0
        self._lines.extend(page.lines)
        self._chars += sum(len(line.text) for line in page.lines)
        while len(self._lines) > len(page.lines) and (len(self._lines) > self._held or self._chars > HELD_CHARS):
            self._chars -= len(self._lines.popleft().text)
        self.at = end
        self._ends_here = page.last == end and page.ended is None

    def wake(self) -> None:
        """Who waits looks again."""
        self.news.set()
        self.news = asyncio.Event()

    def fail(self, error: DispatchError) -> None:
        """Nothing more will come."""
        self.failure = error
        self.wake()

    def _part_of_brought(self, after: int) -> LogPage | None:
        if self._brought is None:
            return None
        start, page = self._brought
        if start == after:
            return page
        return page.part(after) if page.lines and start < after < page.lines[-1].seq else None
