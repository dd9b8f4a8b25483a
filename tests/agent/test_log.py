"""Lines on their way: numbered, sent again until taken, bounded, and never in the way of the task."""

import asyncio
import os
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from dispatcher.agent.errors import Refused, Unreachable
from dispatcher.agent.lines import LONGEST, Lines, Pieces
from dispatcher.agent.log import BATCH, EXTRA, TaskLog


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


def a_log(gateway: Gateway, most: int = 10_000, held_s: float = 10.0) -> TaskLog:
    return TaskLog(gateway.append, rng=random.Random(1), most=most, held_s=held_s, sleep=no_pause, now=lambda: 1.5)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def written(pipe: int) -> int:
    """How many bytes it takes before whoever writes has to wait."""
    os.set_blocking(pipe, False)
    total = 0
    try:
        while True:
            total += os.write(pipe, b"a line of it\n" * 1_000)
    except BlockingIOError:
        return total


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


async def test_whoever_writes_waits_for_a_gateway_that_is_slower_and_no_line_is_lost() -> None:
    gateway, goes_on = Gateway(), asyncio.Semaphore(0)

    async def append(first: int, lines: list[dict[str, Any]]) -> None:
        await goes_on.acquire()
        await gateway.append(first, lines)

    log = TaskLog(append, rng=random.Random(1), most=100, sleep=no_pause)
    running = asyncio.create_task(log.run())
    reading, writing = os.pipe()
    lines = Lines(reading, partial(log.write, "stdout"), log.room)
    total = 0
    async with asyncio.timeout(5):
        while chunk := written(writing):
            total += chunk
            await asyncio.sleep(0.01)
    assert total < 200_000, "the pipe is full and stays so"
    for _ in range(1_000):
        goes_on.release()
    await until(lambda: written(writing) > 0)
    lines.close()
    os.close(writing)
    log.close()
    await running
    said = [text for _, texts in gateway.taken for text in texts]
    assert len(said) > 200
    assert not any("dropped" in text for text in said)


async def test_out_of_reach_of_the_gateway_nobody_waits_and_a_line_tells_how_much_was_dropped() -> None:
    gateway = Gateway()
    log = a_log(gateway, most=3, held_s=0.01)
    for n in range(3):
        log.write("stdout", str(n))
    async with asyncio.timeout(5):
        await log.room()
    assert not log.full
    for _ in range(2):
        log.write("stdout", "more")
    running = asyncio.create_task(log.run())
    await until(lambda: len(gateway.taken) == 2)
    assert gateway.taken == [(1, ["0", "1", "2"]), (4, ["[2 lines dropped]"])]
    for _ in range(3):
        log.write("stdout", "x")
    assert log.full, "it is back, and waited for"
    log.close()
    await running


async def test_what_was_read_is_kept_within_bounds() -> None:
    gateway = Gateway()
    log = a_log(gateway, most=3)
    for _ in range(3 + EXTRA + 2):
        log.write("stdout", "")
    log.close()
    await log.run()
    assert gateway.taken[-1][1][-1] == "[2 lines dropped]"
    assert sum(len(texts) for _, texts in gateway.taken) == 3 + EXTRA + 1


async def test_what_an_ended_process_left_in_its_pipe_is_taken_without_room() -> None:
    log = a_log(Gateway(), most=1)
    reading, writing = os.pipe()
    lines = Lines(reading, partial(log.write, "stdout"), log.room)
    log.write("stdout", "full")
    os.write(writing, b"x\n" * 30_000)
    os.close(writing)
    lines.take_rest()
    assert lines.ended.is_set()
    assert len(log._lines) == 30_001


async def test_once_the_gateway_wants_no_more_nothing_is_kept() -> None:
    gateway = Gateway(Refused(409, "ended"))
    log = a_log(gateway)
    log.write("stdout", "a")
    await log.run()
    log.write("stdout", "b")
    await log.room()
    assert list(log._lines) == [{"stream": "stdout", "text": "a", "at": 1500}]
    assert gateway.taken == []


def test_lines_are_made_of_bytes() -> None:
    said: list[tuple[str, bool]] = []
    pieces = Pieces(lambda text, partial=False: said.append((text, partial)))
    for part in (b"a\xc3", b"\xa4\r\n\nb", b"\xff\nlast"):
        pieces.take(part)
    pieces.take(b"x" * (LONGEST + 1 - 4))
    pieces.end()
    pieces = Pieces(lambda text, partial=False: said.append((text, partial)))
    pieces.take(b"y" * 2 * LONGEST + b"\n")
    texts, goes_on = zip(*said, strict=True)
    assert texts == ("aä", "", "b�", "last" + "x" * (LONGEST - 4), "x", "y" * LONGEST, "y" * LONGEST)
    assert goes_on == (False, False, False, True, False, True, False)


def test_a_part_of_a_line_is_told_as_such() -> None:
    log = a_log(Gateway())
    log.write("stdout", "a", True)
    log.write("stdout", "b")
    assert [line.get("partial") for line in log._lines] == [True, None]
