"""A directory for the places of one agent or executor. A lock on it, which the kernel takes back however its holder
ends, says that somebody lives there: what nobody holds is removed by whoever of the same user starts next, with the
processes that were started in it."""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dispatcher.sandbox.leftovers import end_below
from dispatcher.sandbox.place import base_for

log = logging.getLogger("dispatcher.sandbox")

PREFIX = "dispatcher-jobs-"


@contextmanager
def home(user: tuple[int, int] | None) -> Iterator[Path]:
    """Made empty, after those whose holders were killed are gone, and removed with all that is in it. `user` is one of
    whom jobs run as: other users may pass through, and look at nothing. Raises OSError."""
    base = Path(base_for(user))
    remove_left(base)
    path, held = _new(base)
    try:
        path.chmod(0o700 if user is None else 0o711)
        yield path
    finally:
        _empty(held)
        with suppress(OSError):
            path.rmdir()
        os.close(held)


def remove_left(base: Path) -> None:
    """Remove the homes below that are ours and that nobody holds. Others may have made what only looks like one: no
    link is followed, and nothing of theirs is touched."""
    for path in base.glob(f"{PREFIX}*"):
        with suppress(OSError):
            held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(held).st_uid == os.geteuid():
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    end_below(path)
                    _empty(held)
                    path.rmdir()
                    log.info("%s was left by one that was killed, and is removed", path)
            finally:
                os.close(held)


def _new(base: Path) -> tuple[Path, int]:
    """A new one, and the descriptor that holds it."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        with suppress(FileNotFoundError, BlockingIOError):  # removed before it was held
            held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(held), path.lstat()):
                    return path, held
            except BaseException:
                os.close(held)
                raise
            os.close(held)


def _empty(directory: int) -> None:
    """Of what is in it, only directories are ours."""
    for name in os.listdir(directory):
        shutil.rmtree(name, ignore_errors=True, dir_fd=directory)
