"""Takes files out of a container, through a file of our own: the container's disk goes with it."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

from dispatcher.agent.outputs import MOST_COUNTED, MOST_FILES, Found


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
) -> Found[tarfile.TarInfo]:
    """Regular files below the directory that was taken, the first `most`; a further name of one (a hard link) is a file
    as well. Nothing is read behind `most_counted` of those beyond."""
    found = Found[tarfile.TarInfo]()
    regular: dict[str, tarfile.TarInfo] = {}
    for member in archive:
        _, _, name = member.name.partition("/")
        file = member if member.isreg() else regular.get(member.linkname) if member.islnk() else None
        if not name:
            found.whole = member.isdir()
        elif file is None:
            if not member.isdir():
                found.leave(name)
        else:
            regular[member.name] = file
            if len(found.files) < most:
                found.files.append((name, file))
            else:
                found.beyond += 1
        if found.beyond == most_counted:
            break
    return found


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
