"""Runs a task with a model: loaded if it is not, and kept for the next one."""

import asyncio

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.errors import NotBegun, TaskError
from dispatcher.agent.models import Models
from dispatcher.agent.task import End
from dispatcher.sandbox.waiting import first

RELOADS = 2  # for one task


class ModelRunner:
    """A prediction cannot be interrupted: one that was to stop and goes on after `terminate_s` is killed with its
    model. Those that waited for their turn have the model loaded again."""

    def __init__(self, models: Models, terminate_s: float) -> None:
        self._models = models
        self._terminate_s = terminate_s

    async def run(self, attempt: Attempt) -> End:
        name = attempt.task.payload.get("model")
        if not isinstance(name, str) or not name:
            raise TaskError("model must be a string")
        for _ in range(RELOADS):
            try:
                return await self._predict(attempt, name)
            except NotBegun:
                continue
        return await self._predict(attempt, name)

    async def _predict(self, attempt: Attempt, name: str) -> End:
        async with self._models.using(name, attempt.stopped) as resident:
            if resident is None:
                return End(error=attempt.stopped.result())
            parameters = attempt.task.payload.get("parameters")
            begun = asyncio.Event()
            predicting = asyncio.ensure_future(resident.predict(parameters, attempt.log, begun))
            try:
                await first(predicting, attempt.stopped)
                if not predicting.done() and begun.is_set():
                    await first(predicting, timeout_s=self._terminate_s)
                    if not predicting.done():
                        await self._models.discard(resident)
                if attempt.stopped.done():
                    return End(error=attempt.stopped.result())
                return End(result=predicting.result())
            finally:
                predicting.cancel()
                await asyncio.gather(predicting, return_exceptions=True)
