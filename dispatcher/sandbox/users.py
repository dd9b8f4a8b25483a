"""A user id of its own for each of the programs that run at the same time."""

import asyncio
import logging
import os
import pwd
import signal
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

log = logging.getLogger("dispatcher.sandbox")

CLEARED_S = 5.0
ROUND_S = 0.01


class Users:
    """The ids from `first` to `last`, for nothing else on this machine; each is its own group too. Raises ValueError
    for a range that cannot be meant, or that somebody is in."""

    def __init__(self, first: int, last: int) -> None:
        if not 1_000 <= first <= last < 2**31:
            raise ValueError("has to be FIRST-LAST, ids from 1000 on")
        taken = [user.pw_name for user in pwd.getpwall() if first <= user.pw_uid <= last]
        if taken:
            raise ValueError(f"holds the id of {taken[0]}")
        self._free = deque(range(first, last + 1))

        self.ids = range(first, last + 1)

    def __len__(self) -> int:
        return len(self._free)

    @contextmanager
    def one(self) -> Iterator[tuple[int, int]]:
        """User and group id, free again afterwards. Raises IndexError when there is none left."""
        number = self._free.popleft()
        try:
            yield number, number
        finally:
            self._free.append(number)


async def end_all_of(user: int) -> None:
    """Kill every process of a user, also what left its session, and wait until they are gone."""
    try:
        async with asyncio.timeout(CLEARED_S):
            while found := _processes_of(user):
                for pid in found:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(ROUND_S)
    except TimeoutError:
        log.warning("processes of user %d do not end", user)


def _processes_of(user: int) -> list[int]:
    """Those that are alive, by their real user id: neither they nor the programs that they start can shed it."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            if fields["Uid"].split()[0] == str(user) and fields["State"][0] not in "ZX":
                found.append(int(status.parent.name))
    return found


def users_of(text: str) -> Users:
    """FIRST-LAST. Raises ValueError."""
    first, _, last = text.partition("-")
    return Users(int(first) if first.isdecimal() else 0, int(last) if last.isdecimal() else 0)
