"""The agent: keeps its socket, takes tasks while it has room, obeys, and stops in good order."""

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Mapping
from typing import Any

from dispatcher.agent.api import Api, Identity
from dispatcher.agent.asking import Asking
from dispatcher.agent.commands import Act, Commands
from dispatcher.agent.errors import CommandError, Misconfigured, Refused, Unreachable
from dispatcher.agent.heartbeat import heartbeat
from dispatcher.agent.link import Broken, Connection, Pauses, Replaced, TooBig, Unwelcome, connected
from dispatcher.agent.machine import Machine
from dispatcher.agent.model_acts import model_acts
from dispatcher.agent.models import Models
from dispatcher.agent.options import Options
from dispatcher.agent.outgoing import Outgoing
from dispatcher.agent.pace import Sleep
from dispatcher.agent.runners.runner import Runner
from dispatcher.agent.task import RELEASED, decode
from dispatcher.agent.work import Work
from dispatcher.sandbox.waiting import first, first_of

log = logging.getLogger("dispatcher.agent")

RESTART = 75  # the exit code that asks a supervisor for another start (EX_TEMPFAIL)
FAREWELL_S = 10.0  # for ends that are not confirmed when the agent stops
TRANSIENT = ("UNAVAILABLE", "RATE_LIMITED")


class Agent:
    """`runners` by kind; `models` are loaded and unloaded on command, None: there are none."""

    def __init__(
        self,
        options: Options,
        api: Api,
        machine: Machine,
        runners: Mapping[str, Runner],
        models: Models | None,
        *,
        rng: random.Random,
        sleep: Sleep = asyncio.sleep,
        boot_id: str | None = None,
    ) -> None:
        self._options = options
        self._api = api
        self._machine = machine
        self._models = models
        self._sleep = sleep
        self._pauses = Pauses(rng, sleep)
        self._outgoing = Outgoing(sleep)
        self._work = Work(runners, api, self._outgoing, rng=rng, sleep=sleep)
        self._asking = Asking(self._work, options.concurrency, sleep)
        self._commands = Commands(self._acts(), self._outgoing)
        self._told: list[str] | None = None  # the models that the gateway knows this worker can load
        self._leaving = asyncio.Event()
        self._stopping = asyncio.Event()  # for good: that goes before a restart
        self._grace_s = options.grace_s
        if models is not None:
            models.changed = self._tell_how_it_is
        self._exit_code = 0
        self._fault: Misconfigured | None = None
        self.boot_id = boot_id or secrets.token_hex(8)

    async def run(self, stopping: asyncio.Event, hurry: asyncio.Event) -> int:
        """Work until told to stop; the exit code. Raises Refused when the gateway does not let this agent in,
        Misconfigured when it must not be started again as it is."""
        self._stopping = stopping
        told = asyncio.ensure_future(stopping.wait())
        leaving = asyncio.ensure_future(self._leaving.wait())
        keeping = asyncio.create_task(self._keep_connected())
        try:
            await first(told, leaving, keeping)
            self._leaving.set()
            await first_of(keeping, self._take_leave(hurry))
            if self._fault is not None:
                raise self._fault
        except (Misconfigured, Refused) as fault:
            if not stopping.is_set():
                raise
            log.warning("%s", fault)
        finally:
            await self._work.abandon()
            for job in (told, leaving, keeping):
                job.cancel()
            await asyncio.gather(told, leaving, keeping, return_exceptions=True)
            self._outgoing.close()
            if self._models is not None:  # nobody is told: what was loaded stays assigned for the next start
                await self._models.close()
        return 0 if stopping.is_set() else self._exit_code

    async def _take_leave(self, hurry: asyncio.Event) -> None:
        await self._work.drain(self._grace_s, hurry)
        await self._commands.close()
        await first_of(self._outgoing.flushed(FAREWELL_S), hurry.wait())
        await self._outgoing.tell(type="bye")

    async def _keep_connected(self) -> None:
        me = await self._join()
        while True:
            try:
                async with connected(self._options.url, me, self.boot_id) as connection:
                    self._pauses.reset()
                    await self._converse(connection, me)
            except Unwelcome as refusal:
                if self._options.server_id is not None:
                    raise Refused(403, str(refusal)) from None
                log.warning("registering again: %s", refusal)
                await self._pauses.wait()
                me = await self._join()
                continue
            except Replaced:
                whose = "--server-id" if self._options.server_id is not None else "--name"
                raise Misconfigured(
                    f"another agent has taken over as {self._options.name}: give each agent a {whose} of its own"
                ) from None
            except TooBig:
                self._outgoing.too_large()
            except (ConnectionError, ValueError) as error:
                log.warning("%s", error)
                if isinstance(error, Broken):
                    self._outgoing.broken()
            finally:
                self._outgoing.lost()
            await self._pauses.wait()

    async def _join(self) -> Identity:
        if self._options.server_id is not None:
            return Identity(self._options.server_id, self._options.token)
        while True:
            try:
                return await self._api.register(self._options)
            except (Unreachable, Refused) as error:
                if isinstance(error, Refused) and not error.passing:
                    raise
                log.warning("not registered: %s", error)
            await self._pauses.wait()

    async def _converse(self, connection: Connection, me: Identity) -> None:
        await connection.send(json.dumps(self._hello()))
        log.info("connected as %s", me.server_id)
        self._asking.begin_anew()
        await connection.send(json.dumps(await self._heartbeat()))  # the ends of tasks come after what they loaded
        await self._outgoing.connected(connection.send, connection.most_bytes)
        asking = self._asking.run(connection.send, self._leaving)
        await first_of(self._listen(connection, me), asking, self._beat(connection))

    def _hello(self) -> dict[str, Any]:
        self._told = self._loadable()
        return {
            "type": "hello",
            "kinds": list(self._options.kinds),
            "resources": dict(self._options.resources or self._machine.totals()),
            "maxConcurrent": self._options.concurrency,
            "commands": self._commands.verbs,
            "loadable": self._told,
        }

    def _loadable(self) -> list[str]:
        return self._models.loadable if self._models is not None else []

    async def _listen(self, connection: Connection, me: Identity) -> None:
        async for message in connection.messages():
            match message.get("type"):
                case "task":
                    await self._take(message.get("task"), me)
                case "control":
                    await self._control(message)
                case "command":
                    await self._commands.take(message)
                case "ack":
                    refused = None if message["accepted"] else message.get("code", "")
                    self._outgoing.confirmed((message["taskId"], message["attempt"]), refused)
                case "commandRecorded":
                    self._outgoing.confirmed(message["id"])
                case "error":
                    self._complain(message)
                case "pong":
                    me.token = message.get("serverToken") or me.token

    async def _take(self, fields: Any, me: Identity) -> None:
        self._asking.came()
        task = decode(fields)
        if self._leaving.is_set():
            await self._outgoing.put(task.key, RELEASED.message(task.key))
        else:
            self._work.begin(task, me)

    async def _control(self, message: Mapping[str, Any]) -> None:
        key, action = (message["taskId"], message["attempt"]), message["action"]
        if action == "stop":
            await self._work.stop(key, str(message.get("reason", "")))
        else:
            self._work.pause(key, action == "pause")

    def _complain(self, message: Mapping[str, Any]) -> None:
        """An error: about an end, of a task or of a command, when it names one."""
        log.warning("the gateway refused a message: %s", message.get("details"))
        if message.get("about") == "hello":
            self._refused_hello(message)
        key = message["id"] if "id" in message else (message.get("taskId"), message.get("attempt"))
        code = message.get("code", "")
        if key in self._outgoing:
            if code in TRANSIENT:
                self._outgoing.again(key)
            else:
                self._outgoing.confirmed(key, code)

    def _refused_hello(self, message: Mapping[str, Any]) -> None:
        """Without its totals the worker must not go on: nothing of what it takes would be counted."""
        self._told = None  # it is said again with the next heartbeat
        if message.get("code") not in TRANSIENT:
            self._fault = Misconfigured(f"the gateway refuses what this agent says of itself: {message.get('details')}")
            log.error("%s", self._fault)
            self._leaving.set()

    async def _beat(self, connection: Connection) -> None:
        interval = min(self._options.heartbeat_s, connection.heartbeat_s)
        while True:
            await self._sleep(interval)
            await self._tell_how_it_is()

    async def _tell_how_it_is(self) -> None:
        if self._loadable() != self._told:  # the directory has changed
            await self._outgoing.tell(**self._hello())
        await self._outgoing.tell(**await self._heartbeat())

    async def _heartbeat(self) -> dict[str, Any]:
        metrics = await asyncio.to_thread(self._machine.metrics)
        if self._models is not None:
            await self._models.measure()
        models = self._models.loaded if self._models is not None else []
        return heartbeat(self.boot_id, metrics, self._work.at_work, models)

    def _acts(self) -> dict[str, Act]:
        acts: dict[str, Act] = {"worker.restart": self._restart}
        if self._models is not None:
            acts |= model_acts(self._models)
        return acts

    async def _restart(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Drain, and leave with the code that has a supervisor start another one. Raises CommandError."""
        if args.get("boot_id") in (None, "", self.boot_id):  # else it was done before this start
            if self._stopping.is_set():
                raise CommandError("The agent is being stopped")
            self._grace_s = float(args.get("drain_s", self._options.grace_s))
            self._exit_code = RESTART
            self._leaving.set()
        return {}
