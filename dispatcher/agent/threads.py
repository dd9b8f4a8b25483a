"""Blocking calls that may take as long as a task does."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

R = TypeVar("R")


async def in_thread(act: Callable[[], R]) -> R:
    """What it returns or raises. Each call has a thread of its own: those that wait for containers would fill the
    loop's pool and keep heartbeats out of it. Whoever is cancelled leaves the call behind, and the agent does not wait
    for it when it ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[R] = loop.create_future()

    def settle(result: R | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        try:
            told = partial(settle, act(), None)
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            told = partial(settle, None, error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(told)

    threading.Thread(target=work, name="engine", daemon=True).start()
    return await done
