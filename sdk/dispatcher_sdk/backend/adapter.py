"""`Backend`: name your capabilities, decorate a function, run."""

import asyncio
import logging
import os
import secrets
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar, overload

from dispatcher_sdk.async_client import AsyncDispatcher
from dispatcher_sdk.backend.calls import Calls
from dispatcher_sdk.backend.figures import machine_figures
from dispatcher_sdk.backend.functions import Functions
from dispatcher_sdk.backend.http_server import HttpServer
from dispatcher_sdk.backend.job import Job
from dispatcher_sdk.backend.membership import Membership, Profile
from dispatcher_sdk.backend.push import Push
from dispatcher_sdk.backend.reports import Reporter
from dispatcher_sdk.drivers import AsyncDriver
from dispatcher_sdk.transports import AsyncHttpTransport

log = logging.getLogger("dispatcher_sdk.backend")

F = TypeVar("F", bound=Callable[..., Any])
UNSPECIFIED_HOSTS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised, not bound to


class Backend:
    """A server of the fleet that runs Python functions.

    `name`, `capabilities`, `groups`, `priority` (the weight, at least 1) and `max_concurrent` (1..256) are what it
    registers with. It listens on `host` and `port` (0: any free one) and is reached by the gateway under `url`, which
    has to be given when `host` is not an address of its own, or a proxy stands in front.

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
        if url is None and host in UNSPECIFIED_HOSTS:
            raise ValueError("give url=, the address under which the gateway reaches this server")
        if not 1 <= max_concurrent <= 256:
            raise ValueError("max_concurrent has to be from 1 to 256")
        self._server_id = server_id or os.environ.get("DISPATCHER_SERVER_ID")
        api_key = api_key or os.environ.get("DISPATCHER_API_KEY")
        if self._server_id and not api_key:
            raise ValueError("a server that is registered already needs the api_key it was registered with")
        self._api_key = api_key or secrets.token_urlsafe(32)
        self._name = name
        self._capabilities = tuple(capabilities)
        self._groups = tuple(groups)
        self._priority = priority
        self._max_concurrent = max_concurrent
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
        """The same inside a running event loop, until `stop` is called. `started` is told the own URL once the
        server is registered. Raises StatusError when the gateway refuses the registration, OSError for a taken port.
        """
        if not len(self._functions):
            raise RuntimeError("no function is decorated with @backend.predict")
        self._loop, self._stop, self._hurry = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        client = AsyncDispatcher(self._dispatcher_url, self._token)
        reports = AsyncHttpTransport(client.url)
        driver = AsyncDriver(reports, asyncio.sleep)

        def reporter(job: Job, on_stale: Callable[[], None]) -> Reporter:
            return Reporter(job, driver, on_stale=on_stale)

        accept = self._mode == "accept"
        calls = Calls(self._functions, reporter, max_concurrent=self._max_concurrent, report_ends=accept)
        figures = machine_figures()
        server = HttpServer(Push(calls, self._api_key, figures, accept_only=accept).handle)
        try:
            port = await server.start(self._host, self._port)
            url = (self._url or f"http://{_bracketed(self._host)}:{port}").rstrip("/")
            membership = Membership(
                client, self._profile(url), server_id=self._server_id, running=lambda: calls.task_ids, figures=figures
            )
            if await _unless(self._stop, membership.join()):
                log.info("%s serves %s as %s", self._name, url, membership.server_id)
                if started is not None:
                    started(url)
                await self._until_stopped(self._stop, membership, calls)
        finally:
            await server.close(grace=0.0 if calls.active else 1.0)  # for the last answers on their way out
            await reports.close()
            await client.close()

    def stop(self) -> None:
        """Have `serve` or `run` drain and return; may be called from any thread and from signal handlers."""
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # the loop is closed: stopped already
                self._loop.call_soon_threadsafe(self._stop.set)

    async def _until_stopped(self, stop: asyncio.Event, membership: Membership, calls: Calls) -> None:
        heartbeats = asyncio.create_task(membership.beat_forever())
        try:
            await stop.wait()
            await membership.drain()
            await _unless(self._hurry, calls.drain(self._drain_timeout))
            if calls.active:
                log.warning("%s leaves %d calls unfinished", self._name, calls.active)
        finally:
            heartbeats.cancel()
            await asyncio.wait({heartbeats})
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

    def _profile(self, url: str) -> Profile:
        return Profile(
            name=self._name,
            endpoints={verb: f"{url}/{verb}" for verb in ("predict", "health", "metrics", "cancel")},
            api_key=self._api_key,
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


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
