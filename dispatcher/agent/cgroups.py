"""Control groups (version 2) for tasks, where the agent was given a part of the tree to itself."""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dispatcher.agent.task import Needs

log = logging.getLogger("dispatcher.agent")

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
MOST_PROCESSES = 4_096


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
    """Makes one for each task below `here`."""

    def __init__(self, here: Path) -> None:
        self._here = here

    @contextmanager
    def one(self, needs: Needs) -> Iterator[Path]:
        """A group with the limits of a task; answers the file that takes its processes. All that is in it is killed in
        the end, also what left the process group."""
        group = self._here / f"task-{secrets.token_hex(6)}"
        group.mkdir()
        try:
            (group / "pids.max").write_text(str(MOST_PROCESSES))
            if needs.memory:
                (group / "memory.max").write_text(str(needs.memory))
            if needs.cpu:
                (group / "cpu.max").write_text(f"{max(1_000, round(needs.cpu * PERIOD_US))} {PERIOD_US}")
            yield group / "cgroup.procs"
        finally:
            with suppress(OSError):
                (group / "cgroup.kill").write_text("1")
            try:
                group.rmdir()
            except OSError:
                log.warning("%s could not be removed", group)
