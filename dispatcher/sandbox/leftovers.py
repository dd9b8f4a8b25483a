"""Processes that outlived whoever started them: what an agent or executor ran that was killed goes on, and nobody
counts it. Each carries a mark in its environment; one that has wiped it off can only be told by its user or control
group."""

import logging
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("dispatcher.sandbox")

MARK = "SANDBOX_DIR"  # names the directory that a process was started for
CLEARED_S = 5.0
ROUND_S = 0.01
_KEY = f"{MARK}=".encode()


def end_below(home: Path, others: Callable[[], Collection[int]] = tuple) -> None:
    """Kill every process that was started for `home` or a directory below, and wait until they are gone, 5 s at most.
    Only those are seen whose environment we may read: root all, others their own; and `others`, asked again and again
    for the ids of those that are alive."""
    root = os.path.realpath(home)
    _end(
        lambda: {*others(), *(pid for pid, _ in _processes() if _is_below(root, _mark_of(pid)))},
        f"processes of {home}",
    )


def end_strays(users: Collection[int]) -> None:
    """Kill every process of these users but those of programs whose directory is there still: somebody runs them."""
    _end(
        lambda: [pid for pid, user in _processes() if user in users and not _is_of(user, _mark_of(pid))],
        "processes that an agent left",
    )


def _end(find: Callable[[], Collection[int]], what: str) -> None:
    """Until two looks in a row have found none: one that was just forked is missed by a look, with its parent gone."""
    late, none = time.monotonic() + CLEARED_S, 0
    while none < 2:
        found = find()
        none = 0 if found else none + 1
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if found and time.monotonic() > late:
            log.warning("%s do not end", what)
            return
        if found:
            time.sleep(ROUND_S)  # the kernel takes a moment; in a thread, or before there is a loop


def _processes() -> Iterator[tuple[int, int]]:
    """Id and real user id of those that are alive, without ourselves."""
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            if fields["State"][0] not in "ZX" and status.parent.name != str(os.getpid()):
                yield int(status.parent.name), int(fields["Uid"].split()[0])


def _mark_of(pid: int) -> str | None:
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if entry.startswith(_KEY):
                return os.fsdecode(entry.removeprefix(_KEY))
    return None


def _is_of(user: int, mark: str | None) -> bool:
    try:
        return mark is not None and os.stat(mark).st_uid == user
    except (OSError, ValueError):
        return False


def _is_below(root: str, mark: str | None) -> bool:
    return mark is not None and Path(os.path.realpath(mark)).is_relative_to(root)
