"""What the agent is told to do beside its tasks. Each command is done once, however often it comes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dispatcher.agent.errors import CommandError, NotHere, TaskError
from dispatcher.agent.outgoing import Outgoing

log = logging.getLogger("dispatcher.agent")

Act = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]  # args -> what is told of the success
REMEMBERED = 1_024


class Commands:
    """`acts` by verb. They raise CommandError, NotHere or TaskError for what cannot be done."""

    def __init__(self, acts: Mapping[str, Act], outgoing: Outgoing) -> None:
        self._acts = acts
        self._outgoing = outgoing
        self._ends: dict[str, dict[str, Any] | None] = {}  # None: at it
        self._running: set[asyncio.Task[None]] = set()

    @property
    def verbs(self) -> list[str]:
        return list(self._acts)

    async def take(self, message: Mapping[str, Any]) -> None:
        """A command came. One that was done already is answered as before."""
        name, verb = message["id"], message["verb"]
        await self._outgoing.tell(type="commandAck", id=name)
        if name in self._ends:
            end = self._ends[name]
            if end is not None:
                await self._outgoing.put(name, end)
            return
        self._remember(name)
        task = asyncio.create_task(self._do(name, verb, message.get("args") or {}))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Give up what is being done, as the load of a model that hangs: it comes again after the next start."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _do(self, name: str, verb: str, args: Mapping[str, Any]) -> None:
        log.info("command %s: %s", name, verb)
        try:
            act = self._acts.get(verb)
            if act is None:
                raise CommandError(f"This worker does not obey {verb}")
            end = {"type": "commandDone", "id": name, "detail": await act(args)}
        except (CommandError, NotHere, TaskError, OSError) as error:
            log.warning("command %s: %s", name, error)
            end = {"type": "commandFailed", "id": name, "error": str(error)[:2000]}
        self._ends[name] = end
        await self._outgoing.put(name, end)

    def _remember(self, name: str) -> None:
        self._ends[name] = None
        if len(self._ends) > REMEMBERED:
            del self._ends[next(iter(self._ends))]
