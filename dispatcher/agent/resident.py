"""A model in memory, seen from the agent."""

import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from dispatcher.agent.errors import NotBegun, TaskError
from dispatcher.agent.lines import Lines
from dispatcher.agent.log import TaskLog
from dispatcher.agent.tree import Tree, end_marked
from dispatcher.sandbox.leftovers import MARK

HOST = Path(__file__).with_name("model_host.py")
MOST_ANSWER = 64 << 20  # bytes
UNLOAD_S = 10.0
ENDED = "the model's process has ended"

Say = Callable[[str, str], None]  # (stream, line)
GpuMemory = Callable[[Collection[int]], int]  # (process ids), bytes of all GPUs


class Resident:
    """One process with one model, and those that it starts. `memory` and `gpu_memory` in bytes as `measure` found them
    last, `load_ms` what the load took. `used` counts the predictions that run or wait; `dismissed`: it was unloaded in
    spite of them."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, mark: Path, say: Say) -> None:
        self.name = name
        self.memory = self.gpu_memory = self.load_ms = 0
        self.used = 0
        self.dismissed = False
        self._over = False  # it answers no more
        self._process = process
        self._tree = Tree(process.pid, mark)
        self._say = say
        self._task: TaskLog | None = None  # of the prediction that runs
        self._output: list[Lines] = []
        self._turn = asyncio.Lock()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._over and not self._reader.at_eof()

    async def predict(self, parameters: Any, said: TaskLog, begun: asyncio.Event) -> Any:
        """One after another. What the model prints meanwhile goes to `said`; `begun` is set when its turn has come.
        Raises TaskError, NotBegun where the process has ended by then."""
        async with self._turn:
            if not self.alive:
                raise _gone() if self.dismissed else NotBegun(ENDED)
            begun.set()
            self._task = said
            try:
                self._writer.write(json.dumps({"parameters": parameters}).encode() + b"\n")
                return (await self._answer()).get("result")
            except ConnectionError:
                self._over = True
                raise _gone() from None
            except asyncio.CancelledError:  # its answer would be taken for the next one's
                self._strike()
                raise
            finally:
                for stream in self._output:
                    stream.take_rest()
                self._task = None

    def measure(self, gpu_memory_of: GpuMemory) -> None:
        """See what it takes with its children. A change of up to a sixteenth is none: it would be told for ever."""
        found: dict[int, Any] = {}
        for one in self._tree.look():
            with suppress(psutil.Error):  # it has just ended
                found[one.pid] = one.memory_info()
        if self.pid not in found:
            return
        own = sum(max(0, told.rss - told.shared) for told in found.values())
        memory = own + max(told.shared for told in found.values())
        gpu_memory = gpu_memory_of(found)
        if _differs(memory, self.memory):
            self.memory = memory
        if _differs(gpu_memory, self.gpu_memory):
            self.gpu_memory = gpu_memory

    async def unload(self) -> None:
        """Let it take its leave, and make sure that it is gone, with all that it started."""
        await asyncio.to_thread(self._tree.look)
        with suppress(ConnectionError, TimeoutError):
            self._writer.write(b'{"unload": true}\n')
            async with asyncio.timeout(UNLOAD_S):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        await self._end()
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    def _strike(self) -> None:
        self._over = True
        self._tree.strike()

    async def _end(self) -> None:
        self._over = True
        await self._tree.end()
        await self._process.wait()

    async def _begin(self, link: socket.socket) -> None:
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(sock=link, limit=MOST_ANSWER)
        except BaseException:
            link.close()
            await self._end()
            raise
        began = time.monotonic()
        try:
            await self._answer()
        except BaseException:
            await self.kill()
            raise
        self.load_ms = round((time.monotonic() - began) * 1000)

    async def _answer(self) -> dict[str, Any]:
        try:
            line = await self._reader.readline()
        except ValueError:
            self._strike()
            raise TaskError(f"the model answered more than {MOST_ANSWER} bytes") from None
        if not line:
            self._over = True
            raise _gone()
        told: dict[str, Any] = json.loads(line)
        if "error" in told:
            raise TaskError(told["error"])
        return told

    def _line(self, stream: str, text: str, partial: bool = False) -> None:
        if self._task is None:
            self._say(stream, text)
        else:
            self._task.write(stream, text, partial)

    async def _room(self) -> None:
        if self._task is not None:
            await self._task.room()

    def _listen(self, stream: str, pipe: int) -> None:
        self._output.append(Lines(pipe, partial(self._line, stream), self._room))


def _differs(now: int, before: int) -> bool:
    return abs(now - before) * 16 > before


def _gone() -> TaskError:
    return TaskError(ENDED, retryable=True)


async def load(name: str, file: Path, say: Say, home: Path | None) -> Resident:
    """Start a process, and load the model of a file in it. `say` is told what it prints; it is marked with a directory
    of its own in `home` (None: the one for temporary files), for whoever ends it when we are killed. Raises
    TaskError, OSError."""
    mark = Path(tempfile.mkdtemp(prefix="model-", dir=home))
    ours, theirs = socket.socketpair()
    out, err = os.pipe(), os.pipe()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DISPATCHER_")}
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", str(HOST), str(theirs.fileno()), str(file),
            stdin=asyncio.subprocess.DEVNULL, stdout=out[1], stderr=err[1], pass_fds=(theirs.fileno(),),
            start_new_session=True, env={**clean, MARK: str(mark)},
        )  # fmt: skip
    except BaseException:  # also one who waits no more
        ours.close()
        os.close(out[0])
        os.close(err[0])
        await asyncio.to_thread(end_marked, mark)
        raise
    finally:
        theirs.close()
        os.close(out[1])
        os.close(err[1])
    resident = Resident(name, process, mark, say)
    for stream, (reading, _) in (("stdout", out), ("stderr", err)):
        resident._listen(stream, reading)
    await resident._begin(ours)
    return resident
