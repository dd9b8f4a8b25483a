"""`FarmClient`: give it a training function and the address of a gateway, run."""

import asyncio
import logging
import random
import secrets
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from dispatcher_sdk.farm import messages
from dispatcher_sdk.farm.link import Link, Pace
from dispatcher_sdk.farm.machine import Machine
from dispatcher_sdk.farm.reports import TRANSIENT, Reports
from dispatcher_sdk.farm.task import FarmTask
from dispatcher_sdk.farm.training import Train, trained

log = logging.getLogger("dispatcher_sdk.farm")

CONTROLS = {"pause": FarmTask.pause, "resume": FarmTask.resume, "stop": FarmTask.stop}
GONE = ("CONFLICT", "NOT_FOUND")  # errors of one whose task was given to others, or removed


class FarmClient:
    """A worker of the AI Farm API. It runs one task at a time.

    `url` is the socket's (ws:// or wss://), `client_id` the name under which the gateway knows this worker. `train` is
    called in a thread with each task; what it returns becomes the metrics of the result, what it raises fails the
    task. `resources` replaces what this machine is found to have, in the shape of the API: cpu.cores, ram.total (MB),
    gpu as a list with memory.total (MB).

    A connection that breaks does not disturb the training: reports wait, and a result is sent until it is
    acknowledged. Raises ValueError for a URL of another kind, or a name or token that fits in no header.
    """

    def __init__(
        self,
        url: str,
        token: str,
        client_id: str,
        *,
        train: Train,
        resources: Mapping[str, Any] | None = None,
        pace: Pace = Pace(),  # noqa: B008 - immutable
        rng: Callable[[], float] = random.random,
    ) -> None:
        if urlsplit(url).scheme not in ("ws", "wss") or not urlsplit(url).hostname:
            raise ValueError("url has to begin with ws:// or wss:// and name a host")
        for name, value in (("token", token), ("client_id", client_id)):
            if not value or not value.isascii() or not value.isprintable() or value != value.strip():
                raise ValueError(f"{name} has to be printable ASCII without spaces around it")
        self._client_id = client_id
        self._train = train
        self._pace = pace
        self._machine = Machine(resources)
        self._resources: dict[str, Any] = {}
        self._boot_id = secrets.token_hex(8)
        headers = {"Client-ID": client_id, "Authorization": f"Bearer {token}"}
        self._link = Link(url, headers, opened=self._opened, received=self._received, pace=pace, rng=rng)
        self._reports = Reports(self._send, pace)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = asyncio.Event()
        self._assigned = asyncio.Queue[FarmTask | None]()
        self._held: dict[str, FarmTask] = {}  # assigned, and no result acknowledged yet
        self._wanting = False
        self._unheard = False  # an error answered what was perhaps the request for a task

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then stop the task at its next step, say so and leave.

        A second signal leaves at once. Raises Refused.
        """
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        asyncio.run(self._run_with_signals())

    async def serve(self) -> None:
        """The same inside a running event loop, until `stop` is called. To be awaited once. Raises Refused."""
        self._loop = asyncio.get_running_loop()
        duties = (self._work(), self._link.keep(), self._beat(), self._reports.send_progress())
        tasks = {asyncio.create_task(duty) for duty in duties}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._leave()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def stop(self) -> None:
        """Have `serve` or `run` stop its task and return; may be called from any thread and from signal handlers."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: stopped already
                self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._leaving.set()
        self._assigned.put_nowait(None)
        for task in self._held.values():
            task.stop()

    async def _work(self) -> None:
        """Ask for tasks and train, one after another."""
        while not self._leaving.is_set():
            self._wanting = True
            await self._request()
            task = await self._assigned.get()
            self._wanting = False
            if task is None:
                return
            log.info("task %s begins", task.id)
            result = await trained(self._train, task)
            log.info("task %s has %s", task.id, result["status"])
            await self._reports.deliver(result, self._leaving)
            del self._held[task.id]

    async def _opened(self) -> None:
        """A connection stands: show what this machine is, then go on where the last one ended."""
        await self._heartbeat()
        await self._reports.again()
        await self._request()

    async def _request(self) -> None:
        self._unheard = False
        if self._wanting:
            await self._send({"type": "task_request", "resources": self._resources})

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._pace.heartbeat)
            await self._heartbeat()
            if self._unheard:
                await self._request()

    async def _heartbeat(self) -> None:
        info, self._resources = await asyncio.to_thread(self._machine.read)
        more = {"resources": self._resources, "running": list(self._held), "boot_id": self._boot_id}
        await self._send({"type": "heartbeat", "system_info": info, **more})

    async def _send(self, message: Mapping[str, Any]) -> bool:
        return await self._link.send(messages.encode(message, self._client_id))

    def _report(self, task: FarmTask, percent: float, metrics: Mapping[str, Any]) -> None:
        """Called in the thread of the training."""
        message = messages.progress(task, percent, metrics)
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody to tell
                self._loop.call_soon_threadsafe(self._reports.progress, message)

    def _received(self, text: str | bytes) -> None:
        try:
            message = messages.decode(text)
            kind = message.get("type")
            if kind == "task":
                self._assign(messages.assignment(message, self._report))
            elif kind == "control":
                self._control(str(message.get("task_id")), str(message.get("action")))
            elif kind == "task_result_ack":
                self._reports.acknowledge(message)
            elif kind == "error":
                self._refused(messages.data(message))
        except ValueError as error:
            log.warning("a message that cannot be read: %s", error)

    def _assign(self, task: FarmTask) -> None:
        held = self._held.get(task.id)
        if held is not None:
            held.attempt = task.attempt or held.attempt  # the same work, from now on under this number
        else:
            self._held[task.id] = task
            self._assigned.put_nowait(task)

    def _control(self, task_id: str, action: str) -> None:
        task, steer = self._held.get(task_id), CONTROLS.get(action)
        if task is not None and steer is not None:
            log.info("task %s: %s", task_id, action)
            steer(task)

    def _refused(self, error: Mapping[str, Any]) -> None:
        """The gateway answers an error. A task that it says is not this worker's any more is trained for nothing."""
        log.warning("the gateway answers %s: %s", error.get("code"), error.get("message"))
        details = error.get("details")
        if error.get("code") in TRANSIENT:
            self._unheard = True  # asked again with the next heartbeat; asking twice brings one task
        if error.get("code") in GONE and isinstance(details, dict):
            self._control(str(details.get("task_id")), "stop")

    async def _run_with_signals(self) -> None:
        loop = asyncio.get_running_loop()
        serving = asyncio.create_task(self.serve())

        def on_signal() -> None:
            if self._leaving.is_set():
                serving.cancel()
            self._leave()

        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):  # Windows: Ctrl-C cancels
                loop.add_signal_handler(number, on_signal)
        with suppress(asyncio.CancelledError):
            await serving
