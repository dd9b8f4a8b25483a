"""What running tasks say."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from dispatcher.domain.log import LogPage, NewLine
from dispatcher.domain.reporter import Reporter


class LogStore(Protocol):
    """Bounded: of each task the newest lines are kept, by number and bytes. They are removed with their task."""

    async def append(
        self, task_id: str, by: Reporter, lines: Sequence[NewLine], *, origin: str | None, first: int
    ) -> int:
        """Add lines of the current attempt. `first` (>= 1) is the number that the worker gives the first of them: it
        counts its own lines, from 1 in each attempt. Those it sent before are left out, so a batch may be sent again.

        Answers the number of its next line. Raises NotFound (also for a task of another origin, when it is given);
        StaleAttempt; Forbidden (a server that never held it); IllegalState (ByAdmin without any attempt yet);
        AlreadyEnded.
        """
        ...

    async def read(self, after: Mapping[str, int], *, limit: int) -> dict[str, LogPage]:
        """Of each of at most 128 tasks up to `limit` lines after the one of this number. All of them together
        have about 1 MiB, in the order in which they were asked for: a page for which nothing was left is empty, and
        does not tell of an end. A task that is not there is not in the answer."""
        ...
