"""What a running task says: lines, numbered over all its attempts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dispatcher.domain.transitions import TaskState

LINE_BYTES = 16_384  # of one line in UTF-8; the rest of a longer one is cut off
PORTION_LINES, PORTION_CHARS = 100, 16_384


class LogStream(StrEnum):
    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line as its worker hands it in. `at_ms` is the worker's time; None: the store's, on arrival. A `partial` one
    goes on in the next of its stream."""

    stream: LogStream
    text: str
    at_ms: int | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class LogLine:
    """`seq` counts from 1 over all attempts of the task; `fence` is the attempt, 0 for a line of the gateway's own.
    `rank` is whose word it is where the attempt is a gang. A `partial` line goes on in the next of its stream."""

    seq: int
    at_ms: int
    fence: int
    stream: LogStream
    text: str
    rank: int | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines in their order, `lost` of them before the first were dropped already. `last` is the newest line there is
    (0: none yet); `ended` is the state of a task that has ended, so that there will be no further line."""

    lines: tuple[LogLine, ...]
    lost: int
    last: int
    ended: TaskState | None = None

    @property
    def complete(self) -> bool:
        """No line will ever follow on these."""
        return self.ended is not None and (self.lines[-1].seq if self.lines else self.last) >= self.last

    def part(self, after: int) -> "LogPage":
        """What a read after this number would have found; one of its lines has to be newer."""
        lines = tuple(line for line in self.lines if line.seq > after)
        return replace(self, lines=lines, lost=max(0, lines[0].seq - after - 1))


def cut(text: str) -> str:
    """A line within LINE_BYTES, cut between two characters."""
    if len(text) * 4 <= LINE_BYTES:
        return text
    return text.encode()[:LINE_BYTES].decode(errors="ignore")


def joined(lines: Iterable[LogLine]) -> str:
    """All of it as one text: each line with its end, those that came in parts as they were."""
    text: list[str] = []
    begun: dict[tuple[int, int | None, LogStream], list[str]] = {}
    for line in lines:
        parts = begun.setdefault((line.fence, line.rank, line.stream), [])
        parts.append(line.text)
        if not line.partial:
            text += [*parts, "\n"]
            parts.clear()
    return "".join(text) + "".join("".join(parts) + "\n" for parts in begun.values() if parts)


def with_marker(page: LogPage) -> tuple[LogLine, ...]:
    """The lines, the first of them telling of those that were dropped. It has the number of the last one dropped."""
    if not page.lost or not page.lines:
        return page.lines
    first = page.lines[0]
    count = f"{page.lost:,} line{'s' if page.lost > 1 else ''}"
    marker = LogLine(first.seq - 1, first.at_ms, 0, LogStream.STDERR, f"[{count} dropped]")
    return (marker, *page.lines)


def portions(lines: Sequence[LogLine]) -> Iterator[list[LogLine]]:
    """The lines, so few at a time that even a slow reader takes them within seconds: one that takes nothing shows."""
    some: list[LogLine] = []
    chars = 0
    for line in lines:
        if some and (len(some) == PORTION_LINES or chars + len(line.text) > PORTION_CHARS):
            yield some
            some, chars = [], 0
        some.append(line)
        chars += len(line.text)
    if some:
        yield some
