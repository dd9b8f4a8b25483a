"""A command for several stores at once, and the comparison of what they answer."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import DispatchError
from dispatcher.domain.grant import Behind, Finished, Grant, Granted
from dispatcher.domain.stats import NO_SERVER
from dispatcher.service.ports import TaskQuery
from dispatcher.store.memory import MemoryStore
from dispatcher.store.options import StoreOptions
from tests.store import redis_factory
from tests.store.told import agree, told
from tests.store.world import ORIGIN, Stores

OPTIONS = StoreOptions()
SERVERS = ("s0", "s1", "s2")
WORKER = "w"  # fetches over a socket
MODELS = ("m1", "m2")
Command = Callable[[Stores], Awaitable[Any]]


class SideBySide(RuleBasedStateMachine):
    """The in-memory store, and with a URL also a Redis store that must answer and look the same."""

    def __init__(self, url: str | None = None) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self.clock = ManualClock()
        self.memory = MemoryStore(self.clock, OPTIONS)
        self.stores: list[Stores] = [self.memory]
        self._namespace = uuid.uuid4().hex
        self._client: Any = None
        if url is not None:
            opened = redis_factory.make_redis_store(url, self.clock, OPTIONS, self._namespace)
            second = self._runner.run(self._stack.enter_async_context(opened))
            self._client = second.client
            self.stores.append(second)
        self.grants: list[Grant] = []
        self.task_ids: list[str] = []
        self.last: Command | None = None
        self._made = 0

    def teardown(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def fresh(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}{self._made:04}"

    def do(self, command: Command) -> Any:
        """Run a command on every store; all must answer the same, and look the same afterwards."""
        self.last = command
        answers = [self._runner.run(self._ask(store, command)) for store in self.stores]
        if len(answers) > 1:
            agree(told(answers[0]), told(answers[1]), "answer")
            seen = [told(self._runner.run(self._look(store))) for store in self.stores]
            agree(seen[0], seen[1], "seen")
        self._learn(answers[0])
        return answers[0]

    @staticmethod
    async def _ask(store: Stores, command: Command) -> Any:
        try:
            return await command(store)
        except DispatchError as error:
            return type(error).__name__, error.code

    @staticmethod
    async def _look(store: Stores) -> Any:
        found, total = await store.tasks.find(TaskQuery(ORIGIN, None, limit=1_000))
        full = [(await store.tasks.get(task.id))[0] for task in sorted(found, key=lambda one: one.id)]
        counts = [await store.stats.server_totals(name) for name in (*SERVERS, WORKER, NO_SERVER)]
        waiting = await store.stats.waiting(ORIGIN, None, None)
        live = {state: n for state, n in waiting.items() if n}
        placed = await store.placements.find()
        return full, total, await store.servers.all(), await store.stats.totals(ORIGIN, None), counts, live, placed

    def _learn(self, answer: Any) -> None:
        match answer:
            case Granted(grant) | Behind(grant) | Finished(grant=Grant() as grant) | (Grant() as grant):
                if grant not in self.grants:
                    self.grants.append(grant)

    def grant(self, index: int) -> Grant:
        return self.grants[index % len(self.grants)]

    def task_id(self, index: int) -> str:
        return self.task_ids[index % len(self.task_ids)]

    def has_grants(self) -> bool:
        return bool(self.grants)

    def has_tasks(self) -> bool:
        return bool(self.task_ids)
