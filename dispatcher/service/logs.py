"""What running tasks say: handed in by their workers, read by their owners."""

from collections.abc import Sequence
from dataclasses import replace

from dispatcher.domain.errors import NotFound, RateState
from dispatcher.domain.ids import is_id
from dispatcher.domain.log import LogPage, NewLine, cut, with_marker
from dispatcher.domain.principal import Principal
from dispatcher.domain.reporter import Reporter
from dispatcher.service.ports import LogStore, RateRule
from dispatcher.service.tails import Follower, Tails
from dispatcher.service.tasks import Tasks


class Logs:
    def __init__(self, logs: LogStore, tasks: Tasks, tails: Tails) -> None:
        self._logs = logs
        self._tasks = tasks
        self._tails = tails

    async def append(
        self, task_id: str, by: Reporter, lines: Sequence[NewLine], *, origin: str | None, first: int
    ) -> int:
        """Add lines of the current attempt, which counts its own from 1: `first` is the number of the first of them.
        A batch may be sent again. Longer lines are cut at 16 KiB. Answers the number of the attempt's next line.
        With `origin` None the task may have come by any API.

        Raises NotFound, StaleAttempt, Forbidden, IllegalState, AlreadyEnded.
        """
        if not is_id(task_id):
            raise _not_found(task_id)
        short = [line if (text := cut(line.text)) is line.text else replace(line, text=text) for line in lines]
        return await self._logs.append(task_id, by, short, origin=origin, first=first)

    async def read(
        self,
        principal: Principal,
        task_id: str,
        *,
        origin: str,
        after: int = 0,
        limit: int = 1_000,
        rate: RateRule | None = None,
    ) -> tuple[LogPage, RateState | None]:
        """A page of lines after a number; a line of the gateway's own tells of those that were dropped.
        Raises NotFound, RateLimited."""
        _, state = await self._tasks.get(principal, task_id, origin=origin, rate=rate)
        page = (await self._logs.read({task_id: after}, limit=limit)).get(task_id)
        if page is None:
            raise _not_found(task_id)
        return replace(page, lines=with_marker(page)), state

    async def follow(self, principal: Principal, task_id: str, *, origin: str, after: int = 0) -> Follower:
        """The lines after a number, then those that come, until the task has ended. To be closed.
        Raises NotFound, Unavailable."""
        await self._tasks.get(principal, task_id, origin=origin)
        return self._tails.follow(task_id, after)

    async def drain(self) -> None:
        """This gateway stops: followers are told to go on elsewhere."""
        await self._tails.drain()


def _not_found(task_id: str) -> NotFound:
    return NotFound(f"Task not found: {task_id[:80]}")
