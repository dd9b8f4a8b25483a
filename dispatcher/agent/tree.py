"""The processes of one model: that which it lives in, and all that come of it, whatever session they are in."""

import asyncio
import shutil
import signal
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import psutil

from dispatcher.sandbox.leftovers import end_below
from dispatcher.sandbox.program import signal_group


class Tree:
    """`pid` leads a group of its own. It and what it starts carry `mark`, a directory that is nobody else's, in their
    environment; one that wipes it is known as long as it was seen below another one that is known."""

    def __init__(self, pid: int, mark: Path) -> None:
        self._pid = pid
        self._mark = mark
        self._lock = threading.Lock()
        self._seen: list[psutil.Process] = []
        with suppress(psutil.Error):  # it has ended already
            self._seen.append(psutil.Process(pid))

    def look(self) -> Collection[psutil.Process]:
        """Those that are alive. With their parent they lose the way that they are found on: look before it ends."""
        found: dict[psutil.Process, None] = {}
        with self._lock:
            for one in self._seen:
                if one not in found:
                    with suppress(psutil.Error):  # it has ended, its id may be another's by now
                        found |= dict.fromkeys([one, *one.children(recursive=True)])
            self._seen = [one for one in found if _lives(one)]
            return self._seen

    def strike(self) -> None:
        """Kill its group, in no time."""
        self.look()
        signal_group(self._pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill all of them, and wait until they are gone. One that does not end within 5 s is told of in the log."""
        self.strike()
        await asyncio.to_thread(end_marked, self._mark, self)


def end_marked(mark: Path, tree: Tree | None = None) -> None:
    """Kill what carries the mark, or is of the tree, and remove the directory."""
    end_below(mark, (lambda: [one.pid for one in tree.look()]) if tree is not None else list)
    shutil.rmtree(mark, ignore_errors=True)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
