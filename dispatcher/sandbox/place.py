"""A directory for one program, that no program of another user can look into."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("dispatcher.sandbox")


@dataclass(frozen=True, slots=True)
class Place:
    """`binary` belongs to us: the program may run it but not change it. `work` is the program's own."""

    binary: Path
    work: Path

    def make_executable(self) -> None:
        self.binary.chmod(0o555)


SHARED = ("/var/tmp", "/tmp")  # noqa: S108 - what is made there is private


def base_for(user: tuple[int, int] | None) -> str:
    """The directory for temporary files; where another user cannot get that far, a shared one."""
    usual = tempfile.gettempdir()
    if user is None or _open_to_all(Path(usual)):
        return usual
    return next((shared for shared in SHARED if os.access(shared, os.W_OK) and _open_to_all(Path(shared))), usual)


def _open_to_all(directory: Path) -> bool:
    real = directory.resolve()
    return all(step.stat().st_mode & 0o001 for step in (real, *real.parents))


def clear_left(user: tuple[int, int], home: Path | None = None) -> None:
    """Remove the places of this user's programs that nobody was left to remove."""
    for root in Path(home or base_for(user)).glob("job-*"):
        with suppress(OSError):
            found = root.lstat()
            if found.st_uid == os.geteuid() and found.st_gid == user[1]:
                shutil.rmtree(root, ignore_errors=True)


@contextmanager
def place(user: tuple[int, int] | None, home: Path | None = None) -> Iterator[Place]:
    """Made empty, and removed with all that is in it. `user` is whom the job runs as; `home` is the directory that it
    is made in, None: the one for temporary files."""
    root = Path(tempfile.mkdtemp(prefix="job-", dir=home or base_for(user)))  # 0700
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
