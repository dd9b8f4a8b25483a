"""What is held of a followed log: bounded, without a gap, and nothing that may be taken back."""

import pytest

from dispatcher.domain.log import LogLine, LogPage, LogStream
from dispatcher.domain.transitions import TaskState
from dispatcher.service import followed_log
from dispatcher.service.followed_log import PAGE, FollowedLog
from tests.service.talking import seqs


def page_of(first: int, last: int, *, newest: int | None = None, lost: int = 0, text: str = "") -> LogPage:
    lines = tuple(LogLine(n, 0, 1, LogStream.STDOUT, text) for n in range(first, last + 1))
    return LogPage(lines, lost, last if newest is None else newest)


def held(log: FollowedLog) -> tuple[int, int]:
    return (log._lines[0].seq, log._lines[-1].seq)


def test_an_end_is_not_remembered() -> None:
    """A task may be run again: each follower asks the store."""
    log = FollowedLog("t1", None, 10)  # type: ignore[arg-type]
    log.note(0, LogPage((), 0, 0, TaskState.FAILED), log.at)
    assert not log.caught_up(0)
    assert log.ready(0) is None


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    log = FollowedLog("t1", None, 10)  # type: ignore[arg-type]
    log.note(0, page_of(1, 8), log.at)
    log.note(8, page_of(9, 14), log.at)
    assert held(log) == (5, 14)
    assert (log.ready(3), seqs(log.ready(4)), log.ready(14)) == (None, list(range(5, 15)), None)
    log.note(14, page_of(15, 40), log.at)
    assert held(log) == (15, 40), "a page is held whole"
    wide = FollowedLog("t1", None, 10 * PAGE)  # type: ignore[arg-type]
    wide.note(0, page_of(1, 3 * PAGE), wide.at)
    assert seqs(wide.ready(PAGE)) == list(range(PAGE + 1, 2 * PAGE + 1)), "a step is a page"
    monkeypatch.setattr(followed_log, "HELD_CHARS", 100)
    log.note(40, page_of(41, 43, text="x" * 30), log.at)
    log.note(43, page_of(44, 44, text="x" * 30), log.at)
    assert held(log) == (42, 44)


def test_what_is_held_has_no_gap() -> None:
    log = FollowedLog("t1", None, 100)  # type: ignore[arg-type]
    log.note(0, page_of(1, 8), log.at)
    log.note(2, page_of(3, 6, newest=8), log.at)  # of one who is behind
    assert (held(log), log.at) == ((1, 8), 8)
    log.note(20, page_of(21, 22), log.at)  # of one who came later
    assert (held(log), log.ready(7), seqs(log.ready(20))) == ((21, 22), None, [21, 22])
    log.note(22, page_of(31, 32, lost=8), log.at)
    assert (held(log), log.ready(22)) == ((31, 32), None)
    assert log.caught_up(32)
    log.note(32, page_of(33, 34, newest=40), log.at)
    assert not log.caught_up(34)
    log.note(34, page_of(34, 33, newest=32), log.at)  # the store has lost lines
    assert (log.at, log.ready(31)) == (32, None)


def test_part_of_a_page_tells_of_what_its_reader_lost() -> None:
    page = page_of(11, 20, lost=10)
    assert (page.part(4).lost, seqs(page.part(4))) == (6, list(range(11, 21)))
    assert (page.part(14).lost, seqs(page.part(14))) == (0, list(range(15, 21)))
