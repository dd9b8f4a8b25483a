"""Lines on their way: numbered, sent again until taken, bounded, and never in the way of the task."""

import asyncio
import random
from typing import Any

from dispatcher.agent.errors import Refused, Unreachable
from dispatcher.agent.lines import LONGEST, Pieces
from dispatcher.agent.log import BATCH, TaskLog


class Gateway:
    """Takes lines, after it has raised the planned errors."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.taken: list[tuple[int, list[str]]] = []

    async def append(self, first: int, lines: list[dict[str, Any]]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append((first, [line["text"] for line in lines]))


async def no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


def a_log(gateway: Gateway, most: int = 10_000) -> TaskLog:
    return TaskLog(gateway.append, rng=random.Random(1), most=most, sleep=no_pause, now=lambda: 1.5)


async def test_each_line_has_its_number_also_when_a_batch_is_sent_again() -> None:
    gateway = Gateway(Unreachable("x"), Refused(503, "x"))
    log = a_log(gateway)
    for n in range(BATCH + 2):
        log.write("stdout", str(n))
    running = asyncio.create_task(log.run())
    async with asyncio.timeout(5):
        while len(gateway.taken) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
    log.write("stderr", "end")
    log.close()
    await running
    assert [first for first, _ in gateway.taken] == [1, BATCH + 1, BATCH + 3]
    assert [text for _, lines in gateway.taken for text in lines] == [*map(str, range(BATCH + 2)), "end"]


async def test_a_flood_is_cut_and_a_line_tells_how_much() -> None:
    gateway = Gateway()
    log = a_log(gateway, most=3)
    for n in range(5):
        log.write("stdout", str(n))
    log.close()
    await log.run()
    assert gateway.taken == [(1, ["0", "1", "2"]), (4, ["[2 lines dropped]"])]


async def test_once_the_gateway_wants_no_more_nothing_is_kept() -> None:
    gateway = Gateway(Refused(409, "ended"))
    log = a_log(gateway)
    log.write("stdout", "a")
    await log.run()
    log.write("stdout", "b")
    assert list(log._lines) == [{"stream": "stdout", "text": "a", "at": 1500}]
    assert gateway.taken == []


def test_lines_are_made_of_bytes() -> None:
    said: list[str] = []
    pieces = Pieces(said.append)
    for part in (b"a\xc3", b"\xa4\r\n\nb", b"\xff\nlast"):
        pieces.take(part)
    pieces.take(b"x" * (LONGEST + 1 - 4))
    pieces.end()
    assert said == ["aä", "", "b�", "last" + "x" * (LONGEST - 4), "x"]
