"""What a task leaves in its output directory."""

import mimetypes
import os
import re
import stat
from pathlib import Path

MOST_FILES = 1_000
MOST_COUNTED = 100_000  # of those beyond
MOST_NAME = 1_024  # characters, with the directories
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\\\\]")


def found_in(directory: Path) -> tuple[list[tuple[str, Path]], int]:
    """Regular files by their path below the directory, sorted; links are not followed, and at most 1,000 are taken.
    And how many there are beyond, as far as they are counted."""
    found: list[tuple[str, Path]] = []
    beyond = 0
    if directory.is_symlink():
        return found, beyond
    for root, directories, names in os.walk(directory, followlinks=False):
        directories.sort()
        for name in sorted(names):
            path = Path(root, name)
            if not stat.S_ISREG(path.lstat().st_mode):
                continue
            if len(found) < MOST_FILES:
                found.append((path.relative_to(directory).as_posix(), path))
            elif beyond == MOST_COUNTED:
                return found, beyond
            else:
                beyond += 1
    return found, beyond


def left_out(beyond: int) -> str:
    """In words, how many files were too many."""
    count = f"{beyond:,} file{'s' if beyond > 1 else ''}"
    return f"[{count}{' or more' if beyond == MOST_COUNTED else ''} left out: at most {MOST_FILES:,} are uploaded]"


def open_owned(path: Path, owner: int) -> int:
    """A descriptor of a regular file of this user. A task cannot have us read what it may not read itself: raises
    OSError for a link, and for a file of somebody else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != owner:
        os.close(descriptor)
        raise OSError(f"{path.name} is not a file of the task")
    return descriptor


def refusal(name: str) -> str | None:
    """Why the gateway takes no file of this name, in words with the name; None: it does."""
    if len(name) > MOST_NAME:
        return f"[{name[:200]!r}... was not uploaded: its path is longer than {MOST_NAME} characters]"
    if _ODD.search(name):
        return f"[{name!r} was not uploaded: its path is not UTF-8, or holds a backslash or control characters]"
    return None


def media_type(path: str) -> str:
    """By the end of the name."""
    return mimetypes.guess_type(path)[0] or "application/octet-stream"
