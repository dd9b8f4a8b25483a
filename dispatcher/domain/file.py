"""Files that tasks leave behind."""

from dataclasses import dataclass

from dispatcher.domain.errors import Invalid, QuotaExceeded, TooLarge
from dispatcher.domain.principal import Owner

PATH_CHARS = 1_024


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file whose bytes are stored as `blob`. `path` is as `relative_path` makes it; `sha256` in hexadecimal."""

    id: str
    task_id: str
    path: str
    size: int
    content_type: str
    sha256: str
    blob: str


@dataclass(frozen=True, slots=True)
class FileRecord:
    """`fence` is the attempt that uploaded it."""

    id: str
    task_id: str
    origin: str
    owner: Owner
    path: str
    size: int
    content_type: str
    sha256: str
    blob: str
    fence: int
    created_ms: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class FileRoom:
    """How many bytes a file may have: by what files and tasks may have, and by what its tenant has left."""

    of_task: int
    of_tenant: int

    @property
    def most(self) -> int:
        return min(self.of_task, self.of_tenant)

    def check(self, size: int) -> None:
        """Raises TooLarge for what its task may not have, and QuotaExceeded for what its tenant has no room for."""
        if size > self.of_task:
            raise too_large()
        if size > self.of_tenant:
            raise no_room()


def too_large() -> TooLarge:
    return TooLarge("The file is larger than a file may be, or the files of its task are in all")


def no_room() -> QuotaExceeded:
    return QuotaExceeded("There is no room for this file")


def relative_path(text: str) -> str:
    """The name of a file as its worker gives it, as a plain relative POSIX path of 1 to 1,024 characters.

    It is a name only: nothing joins it to a directory. Raises Invalid.
    """
    parts = [part for part in text.split("/") if part not in ("", ".")]
    path = "/".join(parts)
    if not path or text.endswith(("/", "/.")) or text.startswith("/") or ".." in parts:
        raise Invalid("Invalid path: must be relative, name a file, and hold no ..", field="path")
    if len(path) > PATH_CHARS:
        raise Invalid(f"Invalid path: longer than {PATH_CHARS} characters", field="path")
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 or c == "\\" for c in path):
        raise Invalid("Invalid path: must hold no control characters and no backslash", field="path")
    return path
