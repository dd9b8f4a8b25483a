"""What a task may write in all. The kernel bounds each file; their sum is looked at from time to time."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.options import MB
from dispatcher.agent.pace import Sleep

EVERY_S = 2.0
SPARE = MB  # for directories, and what the file system keeps beside the bytes of files
MOST_ENTRIES = 100_000  # that one look counts


@asynccontextmanager
async def kept_within(directory: Path, attempt: Attempt, sleep: Sleep) -> AsyncIterator[None]:
    """Stop a task whose files below `directory` take more than it asked for; without effect where it asked for
    nothing."""
    most = attempt.task.needs.storage
    if not most:
        yield
        return

    async def is_over() -> bool:
        if await asyncio.to_thread(used, directory) <= most + SPARE:
            return False
        attempt.stop(f"it wrote more than the {most / MB:g} MB of storage that it asked for")
        return True

    async def watch() -> None:
        while not await is_over():
            await sleep(EVERY_S)

    watching = asyncio.create_task(watch())
    try:
        yield
        await is_over()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def used(directory: Path) -> int:
    """Bytes on disk of all that is below; no link is followed, and a file with several names counts once."""
    total = seen = 0
    linked: set[tuple[int, int]] = set()
    waiting = [str(directory)]
    while waiting and seen < MOST_ENTRIES:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:  # gone meanwhile
            for entry in entries:
                seen += 1
                if seen > MOST_ENTRIES:
                    break
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    if (found.st_dev, found.st_ino) not in linked:
                        total += found.st_blocks * 512
                    if found.st_nlink > 1:
                        linked.add((found.st_dev, found.st_ino))
    return total
