"""The training function at work: in a thread of its own, with an end in every case."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from dispatcher_sdk.farm import messages
from dispatcher_sdk.farm.task import FarmTask, Stopped

log = logging.getLogger("dispatcher_sdk.farm")

Train = Callable[[FarmTask], Mapping[str, Any] | None]
ERROR_LENGTH = 1000  # characters


async def trained(train: Train, task: FarmTask) -> dict[str, Any]:
    """The result of a task, as the message that tells it. The end of the process does not wait for the thread."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[dict[str, Any]] = loop.create_future()

    def tell(result: dict[str, Any]) -> None:
        if not ended.done():  # cancelled
            ended.set_result(result)

    def work() -> None:
        result = outcome(train, task)
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=work, name=f"train-{task.id}", daemon=True).start()
    return await ended


def outcome(train: Train, task: FarmTask) -> dict[str, Any]:
    """Call the training function: what it returns has completed, what it raises has failed, or was stopped."""
    try:
        metrics = train(task) or {}
        return messages.result(task, "stopped" if task.interrupted else "completed", metrics)
    except Stopped:
        return messages.result(task, "stopped", {})
    except BaseException as error:  # also one that exits: nobody else would tell
        log.exception("task %s fails", task.id)
        return messages.result(task, "failed", {}, f"{type(error).__name__}: {error}"[:ERROR_LENGTH])
