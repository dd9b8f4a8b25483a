"""What running tasks say, in lists."""

from collections.abc import Mapping, Sequence
from itertools import islice

from dispatcher.domain.log import LogLine, LogPage, NewLine
from dispatcher.domain.reporter import ByHolder, Reporter
from dispatcher.store.memory import gangs, reports
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import Log, TaskRow

PAGE_BYTES = 1 << 20
AT_ONCE = 32  # lines that are looked at together


class MemoryLogs:
    """Implements `LogStore`."""

    def __init__(self, state: State) -> None:
        self._s = state

    async def append(
        self, task_id: str, by: Reporter, lines: Sequence[NewLine], *, origin: str | None, first: int
    ) -> int:
        row, attempt = reports.at_work(self._s, task_id, by, origin)
        log = row.log = row.log or Log()
        rank = (gangs.rank_of(row, by.server_id) if isinstance(by, ByHolder) else None) or 0
        fence, next_own = log.own.get(rank, (0, 1))
        if fence != attempt.fence:
            next_own = 1
        others = sum(
            other.log.size
            for other in self._s.tasks.values()
            if other.log and other is not row and other.new.owner.tenant == row.new.owner.tenant
        )
        for line in lines[max(0, next_own - first) :]:
            self._add(log, line, attempt.fence, rank if row.ranks and isinstance(by, ByHolder) else None)
        self._drop_oldest(log, others)
        next_own = max(next_own, first + len(lines))
        log.own[rank] = attempt.fence, next_own
        return next_own

    def _add(self, log: Log, line: NewLine, fence: int, rank: int | None) -> None:
        log.last += 1
        at_ms = self._s.now if line.at_ms is None else line.at_ms
        size = len(f"o{'' if line.at_ms is None else line.at_ms}\t{line.text}".encode())
        log.lines.append((LogLine(log.last, at_ms, fence, line.stream, line.text, rank, line.partial), size))
        log.size += size

    def _drop_oldest(self, log: Log, others: int) -> None:
        options = self._s.options
        while (
            len(log.lines) > options.log_lines_max
            or log.size > options.log_bytes_max
            or (others + log.size > options.tenant_log_bytes_max and log.size > options.log_bytes_least)
        ):
            log.size -= log.lines.popleft()[1]

    async def read(self, after: Mapping[str, int], *, limit: int) -> dict[str, LogPage]:
        pages: dict[str, LogPage] = {}
        left = PAGE_BYTES  # of all pages together
        for task_id, seq in after.items():
            row = self._s.tasks.get(task_id)
            if row is not None:
                pages[task_id], size = _page(row, seq, limit, left)
                left -= size
        return pages


def _page(row: TaskRow, after: int, limit: int, left: int) -> tuple[LogPage, int]:
    """A page, and the bytes of its lines: not many more than are left."""
    log = row.log or Log()
    unread = log.last > after and left <= 0
    ended = row.state if row.ended and not unread else None
    oldest = log.last - len(log.lines) + 1
    lines: list[LogLine] = []
    size = 0
    for line, bytes_of_it in islice(log.lines, max(0, after + 1 - oldest), None):
        if len(lines) == limit or (size >= left and len(lines) % AT_ONCE == 0):
            break
        lines.append(line)
        size += bytes_of_it
    return LogPage(tuple(lines), max(0, oldest - after - 1), log.last, ended), size
