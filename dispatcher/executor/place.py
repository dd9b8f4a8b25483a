"""A directory for one job, that no other job can look into."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("dispatcher.executor")


@dataclass(frozen=True, slots=True)
class Place:
    """`binary` belongs to the executor: the job may run it but not change it. `work` is the job's own."""

    binary: Path
    work: Path

    def make_executable(self) -> None:
        self.binary.chmod(0o555)


@contextmanager
def place(user: tuple[int, int] | None) -> Iterator[Place]:
    """Made empty, and removed with all that is in it. `user` is whom the job runs as."""
    root = Path(tempfile.mkdtemp(prefix="job-"))  # 0700
    try:
        work = root / "work"
        work.mkdir(0o700)
        if user is not None:
            os.chown(root, os.geteuid(), user[1])
            root.chmod(0o710)  # the job's group may pass through, and look at nothing
            os.chown(work, *user)
        yield Place(root / "binary", work)
    finally:
        shutil.rmtree(root, ignore_errors=True)
        if root.exists():
            log.warning("%s could not be removed", root)
