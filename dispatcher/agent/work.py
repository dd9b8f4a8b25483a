"""The tasks at work: each in its runner, with its lines and files, until its end is told."""

import asyncio
import logging
import random
from collections.abc import Mapping
from functools import partial
from typing import BinaryIO

from dispatcher.agent.api import Api, Identity
from dispatcher.agent.attempt import Attempt
from dispatcher.agent.errors import NotHere, NotTaken, Refused, TaskError, Unreachable
from dispatcher.agent.log import TaskLog
from dispatcher.agent.outgoing import Outgoing
from dispatcher.agent.pace import Pace, Sleep
from dispatcher.agent.runners.runner import Runner
from dispatcher.agent.task import RELEASED, End, Key, Task, plain
from dispatcher.sandbox.waiting import first

log = logging.getLogger("dispatcher.agent")

FLUSH_S = 30.0  # what the last lines may take before the end is told
UPLOADS = 5  # tries
HURRY_S = 1.0  # for tasks to end once they were stopped in a hurry
ABANDON_S = 5.0  # for what they run to be killed, and containers to be removed


class Work:
    """`runners` by kind; `pace` of all that their tasks say."""

    def __init__(
        self,
        runners: Mapping[str, Runner],
        api: Api,
        outgoing: Outgoing,
        *,
        rng: random.Random,
        sleep: Sleep = asyncio.sleep,
        pace: Pace | None = None,
    ) -> None:
        self._runners = runners
        self._api = api
        self._outgoing = outgoing
        self._rng = rng
        self._sleep = sleep
        self._pace = pace or Pace(sleep)
        self._attempts: dict[Key, Attempt] = {}
        self._jobs: dict[Key, asyncio.Task[None]] = {}
        self._given_back: set[Key] = set()
        self.declined = 0  # tasks, since the agent asked for work last
        self.freed = asyncio.Event()  # set when a task has ended

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def at_work(self) -> list[str]:
        """Ids of the tasks that run here, and of those whose end is not confirmed."""
        told = (key[0] for key in self._outgoing if isinstance(key, tuple))
        return list(dict.fromkeys([*(key[0] for key in self._jobs), *told]))

    def begin(self, task: Task, me: Identity) -> None:
        """Do a task, unless it is known already."""
        if task.key in self._jobs or task.key in self._outgoing:
            return
        send = partial(self._api.append, me, task.key)
        lines = TaskLog(send, rng=self._rng, pace=self._pace, sleep=self._sleep)
        attempt = Attempt(task, lines, partial(self._upload, me, task.key))
        self._attempts[task.key] = attempt
        job = self._jobs[task.key] = asyncio.create_task(self._do(attempt))
        job.add_done_callback(lambda _: self._ended(task.key))

    async def stop(self, key: Key, reason: str) -> None:
        """The gateway wants this attempt no more, or an older one's successor has come."""
        running = [known for known in self._attempts if known[0] == key[0] and known[1] <= key[1]]
        for known in running:
            self._given_back.add(known)
            self._attempts[known].stop(reason)
        if not running and key not in self._outgoing:
            await self._outgoing.put(key, RELEASED.message(key))

    def pause(self, key: Key, on: bool) -> None:
        attempt = self._attempts.get(key)
        if attempt is not None:
            attempt.pause(on)

    async def drain(self, grace_s: float, hurry: asyncio.Event) -> None:
        """Let running tasks end; what does not is stopped and given back. In a `hurry` what is stopped and does not end
        is left behind."""
        if not self._jobs:
            return
        jobs = dict(self._jobs)
        ending = asyncio.gather(*jobs.values(), return_exceptions=True)
        hurrying = asyncio.ensure_future(hurry.wait())
        try:
            await first(ending, hurrying, timeout_s=grace_s)
            for key, attempt in self._attempts.items():
                self._given_back.add(key)
                attempt.stop("the agent stops")
            await first(ending, hurrying)
        finally:
            hurrying.cancel()
        await first(ending, timeout_s=HURRY_S)
        for job in jobs.values():
            job.cancel()
        await first(ending, timeout_s=HURRY_S)
        for key, job in jobs.items():
            if not job.done() or job.cancelled():
                await self._outgoing.put(key, RELEASED.message(key))

    async def abandon(self) -> None:
        """End what is left at once: it is somebody else's business now, and nothing of it is told."""
        jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel()
        if jobs:
            await asyncio.wait(jobs, timeout=ABANDON_S)

    async def _do(self, attempt: Attempt) -> None:
        key = attempt.task.key
        log.info("task %s begins, attempt %d", *key)
        sending = asyncio.create_task(attempt.log.run())
        try:
            end = await self._run(attempt)
            attempt.log.close()
            await first(sending, timeout_s=FLUSH_S)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        if key in self._given_back:
            end = RELEASED
        self.declined += end.declined is not None
        how = "given back" if end.released else plain(end.declined or end.error or "completed")
        log.info("task %s ends: %s", key[0], how)
        await self._outgoing.put(key, end.message(key))

    async def _run(self, attempt: Attempt) -> End:
        task = attempt.task
        runner = self._runners.get(task.kind)
        if runner is None:
            return End(declined=f"this worker runs no tasks of kind {task.kind}")
        try:
            return await runner.run(attempt)
        except NotHere as error:
            return End(declined=str(error))
        except TaskError as error:
            return End(error=str(error), retryable=error.retryable)
        except Exception:
            log.exception("task %s", task.id)
            return End(error="the agent could not run it", retryable=True)

    async def _upload(self, me: Identity, key: Key, path: str, file: BinaryIO) -> None:
        """Raises NotTaken, and TaskError when no file of the task can be handed in."""
        reason = ""
        for turn in range(UPLOADS):
            if turn:
                await self._sleep(self._rng.uniform(0, 2.0 ** (turn - 1)))
            try:
                file.seek(0)
                await self._api.upload(me, key, path, file)
            except (Unreachable, Refused) as error:
                if isinstance(error, Refused) and not error.passing:
                    refusal = NotTaken if error.of_file else TaskError
                    raise refusal(f"{path} was not taken: {error}") from None
                reason = str(error)
            else:
                return
        raise TaskError(f"{path} could not be uploaded: {reason}", retryable=True)

    def _ended(self, key: Key) -> None:
        del self._jobs[key], self._attempts[key]
        self._given_back.discard(key)
        self.freed.set()
