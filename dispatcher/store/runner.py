"""Sends script calls: those of one loop turn share a pipeline, a lost reply is asked for once more.

redis-py's own retries must be off (see `connection`): every script may be repeated with identical arguments, but
only this file decides when.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any

import redis.exceptions
from redis.asyncio import Redis

from dispatcher.domain.errors import Unavailable
from dispatcher.store import keys, scripts
from dispatcher.store.options import StoreOptions
from dispatcher.store.reach import GONE, REFUSING

PIPELINES = 4  # in flight at once; while all are busy, calls gather into larger batches
BATCH = 128


@dataclass(frozen=True, slots=True)
class Reply:
    """A script's answer: its tag, the store's time (epoch ms), the registry's epoch, and the values after these."""

    tag: str
    now_ms: int
    epoch: int
    values: list[Any]

    def text(self, at: int) -> str:
        value: bytes = self.values[at]
        return value.decode()

    def number(self, at: int) -> int:
        return int(self.values[at])


@dataclass(slots=True)
class _Call:
    script: scripts.Script
    sha: str
    argv: list[str | bytes]
    answer: asyncio.Future[Any]


class Runner:
    """The scripts of one namespace on one client."""

    def __init__(self, client: Redis, namespace: str, options: StoreOptions, *, test_clock: bool = False) -> None:
        self.client = client
        self.root = keys.root(namespace)
        self.options = options
        self.epoch = 0  # the newest registry epoch that any reply told of
        loaded = {name: scripts.load(name, options, test_clock=test_clock) for name in scripts.names()}
        self._scripts = {n: (s, hashlib.sha1(s.source.encode()).hexdigest()) for n, s in loaded.items()}  # noqa: S324
        self._waiting: list[_Call] = []
        self._busy: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def call(self, name: str, /, *rest: str | bytes, **values: str | bytes | int | float) -> Reply:
        """Run a script. Raises Unavailable when the store cannot be reached or takes no writes."""
        script, sha = self._scripts[name]
        loop = asyncio.get_running_loop()
        call = _Call(script, sha, script.argv(values, rest), loop.create_future())
        self._waiting.append(call)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush)
        answer = await call.answer
        reply = Reply(answer[0].decode(), int(answer[1]), int(answer[2]), answer[3:])
        self.epoch = max(self.epoch, reply.epoch)
        return reply

    def _flush(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._busy) < PIPELINES:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            task = asyncio.get_running_loop().create_task(self._send(batch))
            self._busy.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        if self._waiting:
            self._flush()

    async def _send(self, batch: list[_Call]) -> None:
        batch = [c for c in batch if not c.answer.done()]  # the caller gave up before it was sent
        for last in (False, True):
            try:
                answers = await self._execute(batch)
            except GONE as lost:
                if last:
                    self._fail(batch, lost)
            except BaseException as error:
                self._fail(batch, error)
                raise
            else:
                self._deliver(batch, answers)
                return

    async def _execute(self, batch: list[_Call]) -> list[Any]:
        answers = await self._pipeline(batch, by_sha=True)
        unknown = [i for i, a in enumerate(answers) if isinstance(a, redis.exceptions.NoScriptError)]
        if unknown:  # a restarted server, or the first use
            again = await self._pipeline([batch[i] for i in unknown], by_sha=False)
            for i, answer in zip(unknown, again, strict=True):
                answers[i] = answer
        return answers

    async def _pipeline(self, batch: list[_Call], *, by_sha: bool) -> list[Any]:
        pipeline = self.client.pipeline(transaction=False)
        for call in batch:
            head = ("EVALSHA", call.sha) if by_sha else ("EVAL", call.script.source)
            pipeline.execute_command(*head, 1, self.root, *call.argv)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    @staticmethod
    def _deliver(batch: list[_Call], answers: list[Any]) -> None:
        for call, answer in zip(batch, answers, strict=True):
            if call.answer.done():
                continue
            if isinstance(answer, (*GONE, *REFUSING)):
                call.answer.set_exception(Unavailable("The store takes no writes now"))
            elif isinstance(answer, Exception):
                call.answer.set_exception(answer)
            else:
                call.answer.set_result(answer)

    @staticmethod
    def _fail(batch: list[_Call], error: BaseException) -> None:
        for call in batch:
            if not call.answer.done():
                unavailable = Unavailable("The store cannot be reached")
                unavailable.__cause__ = error
                call.answer.set_exception(unavailable)
