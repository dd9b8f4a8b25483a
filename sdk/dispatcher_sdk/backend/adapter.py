"""`Backend`: name your capabilities, decorate a function, run."""

import asyncio
import importlib.util
import logging
import os
import secrets
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar, overload

from dispatcher_sdk.async_client import AsyncDispatcher
from dispatcher_sdk.backend.calls import Calls, MakeReporter
from dispatcher_sdk.backend.figures import machine_figures
from dispatcher_sdk.backend.functions import Functions
from dispatcher_sdk.backend.job import Job
from dispatcher_sdk.backend.membership import Membership, Profile
from dispatcher_sdk.backend.outgoing import Outgoing
from dispatcher_sdk.backend.pull import Pull
from dispatcher_sdk.backend.push import Push, Served
from dispatcher_sdk.backend.reports import Reporter, over_http
from dispatcher_sdk.backend.transport import Transport
from dispatcher_sdk.drivers import AsyncDriver
from dispatcher_sdk.transports import AsyncHttpTransport

log = logging.getLogger("dispatcher_sdk.backend")

F = TypeVar("F", bound=Callable[..., Any])
UNSPECIFIED_HOSTS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised, not bound to


class Backend:
    """A server of the fleet that runs Python functions.

    `name`, `capabilities`, `groups`, `priority` (the weight, at least 1) and `max_concurrent` (1..256) are what it
    registers with.

    With `transport="push"` it listens on `host` and `port` (0: any free one) and is reached by the gateway under `url`,
    which has to be given when `host` is not an address of its own, or a proxy stands in front. With `transport="pull"`
    nobody has to reach it: it fetches its tasks over connections that it opens itself, from behind NAT or a firewall,
    and none of `host`, `port`, `url`, `api_key` and `mode` has a meaning. `transport="socket"` (needs the extra
    `socket`) is the same over one WebSocket that it opens: tasks, cancellations and pauses reach it at once.

    `dispatcher_url` and `token` default to DISPATCHER_URL and DISPATCHER_TOKEN. With an admin's token the backend
    registers itself and unregisters at the end. With `server_id` (DISPATCHER_SERVER_ID) the server exists already:
    the token is that server's, and `api_key` (DISPATCHER_API_KEY) the key it was registered with.

    `mode="accept"` answers every call at once with 202 and reports the end to the gateway, for work that takes longer
    than a connection should. `drain_timeout` is how many seconds running work gets to end after SIGTERM.
    """

    def __init__(
        self,
        name: str,
        *,
        capabilities: Sequence[str] = (),
        groups: Sequence[str] = (),
        priority: int = 1,
        max_concurrent: int = 4,
        transport: Literal["push", "pull", "socket"] = "push",
        url: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        dispatcher_url: str | None = None,
        token: str | None = None,
        server_id: str | None = None,
        api_key: str | None = None,
        mode: Literal["answer", "accept"] = "answer",
        drain_timeout: float = 30.0,
    ) -> None:
        if transport not in ("push", "pull", "socket"):
            raise ValueError("transport has to be push, pull or socket")
        if transport == "socket" and importlib.util.find_spec("websockets") is None:
            raise ImportError("transport socket needs a library: pip install './sdk[socket]' in a clone")
        if transport == "push" and url is None and host in UNSPECIFIED_HOSTS:
            raise ValueError("give url=, the address under which the gateway reaches this server")
        if not 1 <= max_concurrent <= 256:
            raise ValueError("max_concurrent has to be from 1 to 256")
        self._server_id = server_id or os.environ.get("DISPATCHER_SERVER_ID")
        api_key = api_key or os.environ.get("DISPATCHER_API_KEY")
        if transport == "push" and self._server_id and not api_key:
            raise ValueError("a server that is registered already needs the api_key it was registered with")
        self._api_key = api_key or secrets.token_urlsafe(32)
        self._name = name
        self._capabilities = tuple(capabilities)
        self._groups = tuple(groups)
        self._priority = priority
        self._max_concurrent = max_concurrent
        self._transport: Literal["push", "pull", "socket"] = transport
        self._url = url
        self._host = host
        self._port = port
        self._dispatcher_url = dispatcher_url
        self._token = token
        self._mode = mode
        self._drain_timeout = drain_timeout
        self._functions = Functions()
        self._stop: asyncio.Event | None = None
        self._hurry = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @overload
    def predict(self, function: F, /) -> F: ...

    @overload
    def predict(self, /, *, type: str | None = None) -> Callable[[F], F]: ...

    def predict(self, function: Any = None, /, *, type: str | None = None) -> Any:  # noqa: A002 - the field's name
        """Serve tasks with the decorated function: those of `type`, or all that no other function serves.

        The function takes the payload, or the payload and a `Context`, and returns anything with a JSON form. It may
        be a plain function (run in a thread), a coroutine function, or a generator of either kind, whose items are
        collected. Whatever it raises fails the attempt, which the gateway may try again; `InvalidInput` fails the
        task. Raises ValueError for a second function of one type, TypeError for a function with other arguments.
        """

        def register(decorated: F) -> F:
            self._functions.add(decorated, type)
            return decorated

        return register if function is None else register(function)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then finish what is running and leave.

        A second signal leaves without finishing, a third without saying goodbye. Raises what `serve` raises.
        """
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("httpx").setLevel(logging.WARNING)  # or every heartbeat becomes two lines
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        asyncio.run(self._run_with_signals())

    async def serve(self, started: Callable[[str], object] | None = None) -> None:
        """The same inside a running event loop, until `stop` is called.

        `started` is told the own URL, or that of the gateway where work is fetched, once the server is registered.
        Raises StatusError when the gateway refuses the registration, OSError for a taken port.
        """
        if not len(self._functions):
            raise RuntimeError("no function is decorated with @backend.predict")
        self._loop, self._stop, self._hurry = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        client = AsyncDispatcher(self._dispatcher_url, self._token)
        reports = AsyncHttpTransport(client.url)
        socket = self._transport == "socket"
        outgoing = Outgoing()
        put = outgoing.put if socket else over_http(AsyncDriver(reports, asyncio.sleep))

        def reporter(job: Job, on_stale: Callable[[], None]) -> Reporter:
            return Reporter(job, put, on_stale=on_stale, ask=pulls)

        pulls = self._transport == "pull"
        reports_ends = pulls or socket or self._mode == "accept"
        calls = Calls(self._functions, reporter, max_concurrent=self._max_concurrent, report_ends=reports_ends)
        figures = machine_figures()
        transport = self._made(calls, reporter, figures, outgoing, client.url)
        try:
            endpoints = await transport.open()
            profile = self._profile(endpoints)
            membership = Membership(
                client, profile, server_id=self._server_id, running=lambda: calls.task_ids, figures=figures
            )
            if await _unless(self._stop, membership.join()):
                url = client.url if endpoints is None else endpoints["predict"].removesuffix("/predict")
                log.info("%s is %s, with its work from %s", self._name, membership.server_id, url)
                if started is not None:
                    started(url)
                await self._until_stopped(self._stop, membership, transport, calls)
        finally:
            await transport.close(grace=0.0 if calls.active else 1.0)  # for the last answers on their way out
            await reports.close()
            await client.close()

    def stop(self) -> None:
        """Have `serve` or `run` drain and return; may be called from any thread and from signal handlers."""
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # the loop is closed: stopped already
                self._loop.call_soon_threadsafe(self._stop.set)

    async def _until_stopped(
        self, stop: asyncio.Event, membership: Membership, transport: Transport, calls: Calls
    ) -> None:
        background = {
            asyncio.create_task(transport.work(membership)),
        }
        if self._transport != "socket":  # which carries the heartbeats itself
            background.add(asyncio.create_task(membership.beat_forever()))
        try:
            await stop.wait()
            await membership.drain()
            await transport.drain()
            await _unless(self._hurry, calls.drain(self._drain_timeout))
            if calls.active:
                log.warning("%s leaves %d calls unfinished", self._name, calls.active)
                await transport.abandon()
        finally:
            for task in background:
                task.cancel()
            await asyncio.wait(background)
        await membership.leave()
        log.info("%s has left", self._name)

    async def _run_with_signals(self) -> None:
        loop = asyncio.get_running_loop()
        serving = asyncio.create_task(self.serve())

        def on_signal() -> None:
            if self._stop is None or self._hurry.is_set():
                serving.cancel()
            elif self._stop.is_set():
                self._hurry.set()
            else:
                self._stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):  # Windows: Ctrl-C cancels without a drain
                loop.add_signal_handler(number, on_signal)
        with suppress(asyncio.CancelledError):
            await serving

    def _made(
        self,
        calls: Calls,
        reporter: MakeReporter,
        figures: Callable[[], dict[str, float]],
        outgoing: Outgoing,
        url: str,
    ) -> Transport:
        match self._transport:
            case "socket":
                from dispatcher_sdk.backend.socket import Socket  # its library is an extra

                return Socket(url, calls, reporter, outgoing)
            case "pull":
                return Pull(calls, reporter)
            case _:
                return self._served(calls, figures)

    def _served(self, calls: Calls, figures: Callable[[], dict[str, float]]) -> Served:
        push = Push(calls, self._api_key, figures, accept_only=self._mode == "accept")
        return Served(push, self._host, self._port, self._url)

    def _profile(self, endpoints: Mapping[str, str] | None) -> Profile:
        return Profile(
            name=self._name,
            endpoints=endpoints,
            api_key=None if endpoints is None else self._api_key,
            transport=self._transport,
            max_concurrent=self._max_concurrent,
            capabilities=self._capabilities,
            groups=self._groups,
            priority=self._priority,
        )


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Whether `work` was done before `stop` was set, which cancels it."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return True
        return False
    finally:
        working.cancel()
        stopping.cancel()
