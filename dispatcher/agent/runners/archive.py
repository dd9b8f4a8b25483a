"""Takes files out of a container, through a file of our own: the container's disk goes with it."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

from dispatcher.agent.outputs import MOST_COUNTED, MOST_FILES


def spooled(chunks: Iterable[bytes], spool: BinaryIO, most: int) -> bool:
    """Copy an archive; False when it has more than `most` bytes."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            return False
        spool.write(chunk)
    return True


def members(
    archive: tarfile.TarFile, most: int = MOST_FILES, most_counted: int = MOST_COUNTED
) -> tuple[list[tuple[str, tarfile.TarInfo]], int]:
    """Regular files by their path below the directory that was taken, the first `most`, and how many there are beyond.
    Nothing is read behind `most_counted` of those."""
    found: list[tuple[str, tarfile.TarInfo]] = []
    beyond = 0
    for member in archive:
        _, _, name = member.name.partition("/")
        if not name or not member.isreg():
            continue
        if len(found) < most:
            found.append((name, member))
        else:
            beyond += 1
        if beyond == most_counted:
            break
    return found, beyond


def opened(archive: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    """A regular file of it."""
    return cast("BinaryIO", archive.extractfile(member))  # None for directories only


def empty_directory(path: str) -> bytes:
    """An archive with a directory that everybody in the container may write to."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(Path(path).name)
        member.type, member.mode = tarfile.DIRTYPE, 0o777
        archive.addfile(member)
    return packed.getvalue()
