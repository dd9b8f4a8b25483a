"""The models of a directory: loaded one at a time, used by tasks, unloaded."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dispatcher.agent.errors import CommandError, TaskError
from dispatcher.agent.resident import Resident, load
from dispatcher.sandbox.waiting import first

NAME_MOST, LOADABLE_MOST = 128, 256

log = logging.getLogger("dispatcher.agent")

LOAD_S = 1_800.0


async def _nobody_asks() -> None:
    pass


class Models:
    """NAME.py or NAME/model.py in the directory defines a class `Model` with `load()`, `predict(parameters)` and, if it
    likes, `unload()`. `gpu_memory_of` measures what a process takes of the GPUs, in bytes. A load that takes longer
    than `load_s` is killed. `changed` is awaited before anybody uses a model that was loaded, and after an unload: the
    gateway has to know of it before it hears of a task's end."""

    def __init__(self, directory: Path, gpu_memory_of: Callable[[int], int], *, load_s: float = LOAD_S) -> None:
        self._directory = directory
        self._gpu_memory_of = gpu_memory_of
        self._load_s = load_s
        self._loaded: dict[str, Resident] = {}
        self._loading = asyncio.Lock()
        self._left = asyncio.Event()  # set when a task uses a model no more
        self.changed: Callable[[], Awaitable[None]] = _nobody_asks

    def known(self) -> dict[str, Path]:
        """File by name of what is in the directory now: a name that somebody asks for is never a part of a path."""
        found = {path.stem: path for path in self._directory.glob("*.py")}
        return found | {path.parent.name: path for path in self._directory.glob("*/model.py")}

    @property
    def loadable(self) -> list[str]:
        """What the gateway is told of `known`: at most 256 names of at most 128 printable characters."""
        return sorted(name for name in self.known() if 0 < len(name) <= NAME_MOST and name.isprintable())[
            :LOADABLE_MOST
        ]

    @property
    def loaded(self) -> list[dict[str, Any]]:
        """What heartbeats tell of them."""
        return [
            {
                "model": one.name,
                "memory": one.memory,
                "gpuMemory": one.gpu_memory,
                "loadTime": one.load_ms,
                "active": one.used,
            }
            for one in self._loaded.values()
            if one.alive
        ]

    async def load(self, name: str) -> Resident:
        """Have it in memory. Raises TaskError."""
        resident = self._loaded.get(name)
        if resident is not None and resident.alive:  # it does not wait for the load of another one
            return resident
        async with self._loading:
            resident = self._loaded.get(name)
            if resident is not None and resident.alive:
                return resident
            if resident is not None:  # it died
                await self.discard(resident)
            file = self.known().get(name)
            if file is None:
                raise TaskError(f"there is no model {name[:128]} on this worker")
            try:
                async with asyncio.timeout(self._load_s):
                    resident = await load(name, file, lambda stream, text: log.info("model %s: %s", name, text))
            except TimeoutError:
                raise TaskError(f"model {name} was not loaded within {self._load_s:g} s", retryable=True) from None
            resident.gpu_memory = self._gpu_memory_of(resident.pid)
            self._loaded[name] = resident
            await self.changed()
            return resident

    async def unload(self, name: str, *, force: bool, within_s: float = 0.0) -> None:
        """Take it out of memory; without effect when it is not there. One that tasks use is waited for so long, or with
        `force` taken out all the same: they fail then. Raises CommandError."""
        late = asyncio.get_running_loop().time() + within_s
        while not await self._unloaded(name, force=force):
            self._left.clear()
            try:
                async with asyncio.timeout_at(late):
                    await self._left.wait()
            except TimeoutError:
                raise CommandError(f"model {name} is in use") from None

    async def discard(self, resident: Resident) -> None:
        """Kill it, with whatever it is doing."""
        if self._loaded.get(resident.name) is resident:
            del self._loaded[resident.name]
        await resident.kill()

    @asynccontextmanager
    async def using(self, name: str, stopped: "asyncio.Future[str]") -> AsyncIterator[Resident | None]:
        """The model, loaded if need be, and not unloaded meanwhile; None when `stopped` comes before it is there, which
        ends a load that was begun for it. Raises TaskError."""
        taking = asyncio.ensure_future(self._take(name))
        try:
            await first(taking, stopped)
            if not taking.done():
                taking.cancel()
                await first(taking)
            yield None if taking.cancelled() else taking.result()
        finally:
            taking.cancel()
            if taking.done() and not taking.cancelled() and taking.exception() is None:
                taking.result().used -= 1
                self._left.set()

    async def close(self) -> None:
        """Unload all of them. Nothing may be loading any more."""
        for resident in list(self._loaded.values()):
            await self._take_out(resident)

    async def _unloaded(self, name: str, *, force: bool) -> bool:
        """False while it is in use."""
        async with self._loading:
            resident = self._loaded.get(name)
            if resident is not None:
                if resident.used and not force:
                    return False
                await self._take_out(resident)
                await self.changed()
            return True

    async def _take(self, name: str) -> Resident:
        resident = await self.load(name)
        resident.used += 1  # in one step with the load: nothing unloads it in between
        return resident

    async def _take_out(self, resident: Resident) -> None:
        self._loaded.pop(resident.name, None)
        resident.dismissed = True
        await (resident.kill() if resident.used else resident.unload())
