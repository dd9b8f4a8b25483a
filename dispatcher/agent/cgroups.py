"""Control groups (version 2) for tasks, where the agent was given a part of the tree to itself."""

import asyncio
import fcntl
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from dispatcher.agent.task import Needs

log = logging.getLogger("dispatcher.agent")

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
MOST_PROCESSES = 4_096
KILLED_S = 5.0  # for a group to be empty; a driver may hold a process for longer
ROUND_S = 0.01


def own_groups(root: Path = ROOT, about: Path = Path("/proc/self/cgroup")) -> "Groups | None":
    """A place for groups below our own, None where there is no such tree or it may not be written. The agent itself
    moves into a leaf: a group that has children holds no processes."""
    try:
        (own,) = [line.split("::", 1)[1] for line in about.read_text().splitlines() if line.startswith("0::")]
        here = root / own.lstrip("/")
        offered = set((here / "cgroup.controllers").read_text().split())
        if not {"cpu", "memory", "pids"} <= offered:
            return None
        leaf = here / "agent"
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text(str(os.getpid()))
        (here / "cgroup.subtree_control").write_text("+cpu +memory +pids")
    except (OSError, ValueError):
        return None
    return Groups(here)


class Groups:
    """Makes one for each task below `here`. A lock on it says, as on a home, that somebody runs the task."""

    def __init__(self, here: Path) -> None:
        self._here = here

    @asynccontextmanager
    async def one(self, needs: Needs) -> AsyncIterator[Path]:
        """A group with the limits of a task; answers the file that takes its processes. All that is in it is killed in
        the end, also what left the process group, and gone afterwards."""
        group = self._here / f"task-{secrets.token_hex(6)}"
        group.mkdir()
        held = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (group / "pids.max").write_text(str(MOST_PROCESSES))
            if needs.memory:
                (group / "memory.max").write_text(str(needs.memory))
            if needs.cpu:
                (group / "cpu.max").write_text(f"{max(1_000, round(needs.cpu * PERIOD_US))} {PERIOD_US}")
            yield group / "cgroup.procs"
        finally:
            await _remove(group)
            os.close(held)

    async def remove_left(self) -> None:
        """Kill what is in the groups of tasks that nobody runs any more: their agent was killed."""
        for group in self._here.glob("task-*"):
            with suppress(OSError):
                held = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    log.warning("removing %s, left by an agent that was killed", group)
                    await _remove(group)
                finally:
                    os.close(held)


async def _remove(group: Path) -> None:
    """Killing takes a moment, and what is forked meanwhile has to be killed too: until the group can be removed."""
    try:
        async with asyncio.timeout(KILLED_S):
            while not _removed(group):
                _kill(group)
                await asyncio.sleep(ROUND_S)
    except TimeoutError:
        log.warning("%s could not be removed", group)


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:  # there are processes in it
        return False
    return True


def _kill(group: Path) -> None:
    at_once = group / "cgroup.kill"
    with suppress(OSError):
        if at_once.exists():
            at_once.write_text("1")
        else:  # before Linux 5.14
            for pid in filter(None, map(int, (group / "cgroup.procs").read_text().split())):  # 0: of another namespace
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
