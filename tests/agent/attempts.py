"""An attempt whose lines and files a test looks at."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, BinaryIO

import pytest

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.log import TaskLog
from dispatcher.agent.task import Needs, Task


class Told:
    """What an attempt said and left."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.attempt: Attempt

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(line["stream"], line["text"]) for line in self.attempt.log._lines]

    async def upload(self, path: str, file: BinaryIO) -> None:
        self.files[path] = file.read()


class NoRoom:
    """In the place of the `room` of an attempt's log: there is none until `made`."""

    def __init__(self, attempt: Attempt, patch: pytest.MonkeyPatch) -> None:
        self.made, self.asked = asyncio.Event(), asyncio.Event()
        patch.setattr(attempt.log, "room", self._wait)

    async def _wait(self) -> None:
        self.asked.set()
        await self.made.wait()


async def no_lines(first: int, lines: list[dict[str, Any]]) -> None:
    raise AssertionError("nobody sends")


def an_attempt(kind: str, payload: Mapping[str, Any], needs: Needs | None = None) -> tuple[Attempt, Told]:
    told = Told()
    task = Task("t1", 1, "x", kind, payload, needs or Needs())
    told.attempt = Attempt(task, TaskLog(no_lines, rng=random.Random(1)), told.upload)
    return told.attempt, told
