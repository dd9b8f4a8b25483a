"""What a task leaves in its output directory."""

import mimetypes
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

MOST_FILES = 1_000
MOST_COUNTED = 100_000  # of those beyond
MOST_NAME = 1_024  # characters, with the directories
MOST_NAMED = 5  # of what is no file
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\\\\]")


T = TypeVar("T")


@dataclass(slots=True)
class Found(Generic[T]):
    """`files` by their path below the directory; how many there are `beyond`, as far as they are counted; and how many
    `others` that are neither files nor directories, with the paths of the first of them. `whole` is False of what is
    no directory."""

    files: list[tuple[str, T]] = field(default_factory=list)
    beyond: int = 0
    others: int = 0
    named: list[str] = field(default_factory=list)
    whole: bool = True

    def leave(self, path: str) -> None:
        """It is no file."""
        self.others += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(path)

    def lines(self) -> list[str]:
        """In words, what is not uploaded."""
        said = [] if self.whole else ["[nothing was uploaded: OUTPUT_DIR is no directory any more]"]
        if self.beyond:
            said.append(left_out(self.beyond))
        if self.others:
            names = ", ".join(ascii(path[:200]) for path in self.named)
            rest = f" and {self.others - len(self.named):,} more" if self.others > len(self.named) else ""
            said.append(f"[not uploaded, being no regular file that can be read: {names}{rest}]")
        return said


def found_in(directory: Path) -> Found[Path]:
    """Regular files, sorted; links are not followed, and at most 1,000 are taken."""
    found = Found[Path]()
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        found.whole = False
        return found

    def closed(error: OSError) -> None:
        if Path(error.filename) != directory or not isinstance(error, FileNotFoundError):
            found.leave(Path(error.filename).relative_to(directory).as_posix())

    for root, directories, names in os.walk(directory, onerror=closed, followlinks=False):
        directories.sort()
        for name in sorted([*names, *(name for name in directories if Path(root, name).is_symlink())]):
            path = Path(root, name)
            where = path.relative_to(directory).as_posix()
            if not stat.S_ISREG(path.lstat().st_mode):
                found.leave(where)
            elif len(found.files) < MOST_FILES:
                found.files.append((where, path))
            elif found.beyond == MOST_COUNTED:
                return found
            else:
                found.beyond += 1
    return found


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
