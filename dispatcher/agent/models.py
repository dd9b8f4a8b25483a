"""The models of a directory: loaded one at a time, used by tasks, unloaded."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dispatcher.agent.errors import CommandError, NotHere, TaskError
from dispatcher.agent.heartbeat import MOST_MODELS
from dispatcher.agent.loads import Loads
from dispatcher.agent.resident import GpuMemory, Resident, load
from dispatcher.sandbox.waiting import first

log = logging.getLogger("dispatcher.agent")

NAME_MOST, LOADABLE_MOST = 128, 256
LOAD_S = 1_800.0
PATIENCE_S = 30.0


async def _nobody_asks() -> None:
    pass


class Models:
    """NAME.py or NAME/model.py in the directory defines a class `Model` with `load()`, `predict(parameters)` and, if it
    likes, `unload()`. `gpu_memory_of` measures what processes take of the GPUs, in bytes. A load that takes longer
    than `load_s` is killed; one that no task waits for any more goes on, unless another model has waited `patience_s`
    for its turn. Processes that outlive this agent are ended with what is left of its `home`. `changed` is
    awaited before anybody uses a model that was loaded, and after an unload: the gateway has to know of it before it
    hears of a task's end."""

    def __init__(
        self,
        directory: Path,
        gpu_memory_of: GpuMemory,
        *,
        load_s: float = LOAD_S,
        patience_s: float = PATIENCE_S,
        home: Path | None = None,
    ) -> None:
        self._home = home
        self._directory = directory
        self._gpu_memory_of = gpu_memory_of
        self._load_s = load_s
        self._loaded: dict[str, Resident] = {}
        self._loads = Loads(self._load, patience_s)
        self._left = asyncio.Event()  # set when a task uses a model no more
        self.changed: Callable[[], Awaitable[None]] = _nobody_asks

    def known(self) -> dict[str, Path]:
        """File by name of what is in the directory now, where the gateway takes its name: 1 to 128 printable
        characters. A name that somebody asks for is never a part of a path."""
        found = {path.stem: path for path in self._directory.glob("*.py")}
        found |= {path.parent.name: path for path in self._directory.glob("*/model.py")}
        return {name: path for name, path in found.items() if 0 < len(name) <= NAME_MOST and name.isprintable()}

    @property
    def loadable(self) -> list[str]:
        """What the gateway is told of `known`: at most 256 names."""
        return sorted(self.known())[:LOADABLE_MOST]

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
        """Have it in memory. Where there are 64 already, the one used least lately goes first that nothing uses. Raises
        TaskError, NotHere when it is not in the directory or all of them are in use."""
        resident = self._loaded.get(name)
        if resident is not None and resident.alive:  # it does not wait for the load of another one
            return resident
        return await self._loads.get(name)

    async def _load(self, name: str) -> Resident:
        if (resident := self._loaded.get(name)) is not None:  # it died
            await self.discard(resident)
        file = self.known().get(name)
        if file is None:
            raise NotHere(f"there is no model {name[:128]} on this worker")
        await self._make_place()
        try:
            async with asyncio.timeout(self._load_s):
                resident = await load(name, file, lambda stream, text: log.info("model %s: %s", name, text), self._home)
        except TimeoutError:
            raise TaskError(f"model {name} was not loaded within {self._load_s:g} s", retryable=True) from None
        try:
            await self._measure(resident)
        except BaseException:  # it is given up
            await resident.kill()
            raise
        self._loaded[name] = resident
        await self.changed()
        return resident

    async def measure(self) -> None:
        """See what those in memory take by now. Of one whose process has died, what it started is ended."""
        await self._discard_dead()
        for resident in list(self._loaded.values()):
            await self._measure(resident)

    async def _measure(self, resident: Resident) -> None:
        await asyncio.to_thread(resident.measure, self._gpu_memory_of)

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
        """Kill it, with whatever it is doing and all that it started."""
        if self._loaded.get(resident.name) is resident:
            del self._loaded[resident.name]
        await resident.kill()

    @asynccontextmanager
    async def using(self, name: str, stopped: "asyncio.Future[str]") -> AsyncIterator[Resident | None]:
        """The model, loaded if need be, and not unloaded meanwhile; None when `stopped` comes before it is there, while
        a load that was begun for it goes on. Raises as `load`."""
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
        """Unload all of them, and give up what is being loaded."""
        await self._loads.close()
        for resident in list(self._loaded.values()):
            await self._take_out(resident)

    async def _unloaded(self, name: str, *, force: bool) -> bool:
        """False while it is in use."""
        async with self._loads.turn():
            resident = self._loaded.get(name)
            if resident is not None:
                if resident.used and not force:
                    return False
                await self._take_out(resident)
                await self.changed()
            return True

    async def _take(self, name: str) -> Resident:
        while (resident := await self.load(name)).dismissed:  # unloaded since
            pass
        resident.used += 1
        if self._loaded.get(name) is resident:
            self._loaded[name] = self._loaded.pop(name)  # kept in the order of their last use
        return resident

    async def _discard_dead(self) -> None:
        for dead in [one for one in self._loaded.values() if not one.alive]:
            await self.discard(dead)

    async def _make_place(self) -> None:
        await self._discard_dead()
        if len(self._loaded) >= MOST_MODELS:
            idle = next((one for one in self._loaded.values() if not one.used), None)
            if idle is None:
                raise NotHere(f"{len(self._loaded)} models are in memory and in use: no more are loaded now")
            log.info("model %s gives way: %d are in memory", idle.name, len(self._loaded))
            await self._take_out(idle)
            await self.changed()

    async def _take_out(self, resident: Resident) -> None:
        self._loaded.pop(resident.name, None)
        resident.dismissed = True
        await (resident.kill() if resident.used else resident.unload())
