"""What running tasks say, in Redis. Implements `service.ports.LogStore`."""

from collections.abc import Mapping, Sequence
from typing import Any

from dispatcher.domain.log import LogLine, LogPage, LogStream, NewLine
from dispatcher.domain.reporter import Reporter
from dispatcher.domain.transitions import TaskState
from dispatcher.store.codec import reporter
from dispatcher.store.refusals import refuse_report
from dispatcher.store.runner import Runner

_PER_CALL = 256  # lines that one script adds: what others wait for it
_PAGE_BYTES = 1 << 20
_STREAMS = {
    "o": (LogStream.STDOUT, False), "O": (LogStream.STDOUT, True),
    "e": (LogStream.STDERR, False), "E": (LogStream.STDERR, True),
}  # fmt: skip
_MARKS = {told: mark for mark, told in _STREAMS.items()}


class RedisLogs:
    """Safe to repeat with identical arguments, see `Runner`."""

    def __init__(self, runner: Runner) -> None:
        self._run = runner

    async def append(
        self, task_id: str, by: Reporter, lines: Sequence[NewLine], *, origin: str | None, first: int
    ) -> int:
        raw = [
            f"{_MARKS[line.stream, line.partial]}{'' if line.at_ms is None else line.at_ms}\t{line.text}"
            for line in lines
        ]
        after = first
        for start in range(0, len(raw), _PER_CALL):
            some = raw[start : start + _PER_CALL]
            reply = await self._run.call(
                "append_log", *some, task_id=task_id, origin=origin or "", **reporter(by), first=first + start
            )
            refuse_report(reply, task_id)
            after = reply.number(0)
        return after

    async def read(self, after: Mapping[str, int], *, limit: int) -> dict[str, LogPage]:
        pairs = [part for task_id, seq in after.items() for part in (task_id, str(seq))]
        reply = await self._run.call("read_logs", *pairs, limit=limit, bytes_max=_PAGE_BYTES)
        found: dict[str, LogPage] = {}
        for task_id, last, oldest, ended, entries in reply.values[0]:
            name = task_id.decode()
            lost = max(0, int(oldest) - after[name] - 1)
            state = TaskState(ended.decode()) if ended else None
            found[name] = LogPage(tuple(map(_line, entries)), lost, int(last), state)
        return found


def _line(entry: Any) -> LogLine:
    seq, (_, at, _, origin, _, raw) = entry
    fence, _, rank = origin.partition(b":")
    head, _, text = raw.decode("utf-8", "replace").partition("\t")
    at_ms = int(head[1:] or at)
    stream, partial = _STREAMS[head[0]]
    return LogLine(int(seq[:-2]), at_ms, int(fence), stream, text, int(rank) if rank else None, partial)
