"""The asyncio client: the same methods as the blocking one, to be awaited."""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from dispatcher_sdk._binding import AsyncBound, async_pages, async_tailing, awaitable
from dispatcher_sdk.client import DEFAULT_URL
from dispatcher_sdk.drivers import AsyncDriver
from dispatcher_sdk.flows import servers, stats, task_files, task_logs, tasks
from dispatcher_sdk.flows.steps import Options
from dispatcher_sdk.transports import AsyncHttpTransport, AsyncTransport, checked_url


class AsyncTasks(AsyncBound):
    """`client.tasks`"""

    submit = awaitable(tasks.submit)
    get = awaitable(tasks.get)
    wait = awaitable(tasks.wait)
    list = async_pages(tasks.list_all)
    update = awaitable(tasks.update)
    retry = awaitable(tasks.retry)
    cancel = awaitable(tasks.cancel)
    pause = awaitable(tasks.pause)
    resume = awaitable(tasks.resume)
    delete = awaitable(tasks.delete)
    logs = awaitable(task_logs.read)
    follow = async_tailing(task_logs.follow)
    files = awaitable(task_files.list_all)
    download = awaitable(task_files.download)


class AsyncServers(AsyncBound):
    """`client.servers`"""

    register = awaitable(servers.register)
    list = async_pages(servers.list_all)
    get = awaitable(servers.get)
    heartbeat = awaitable(servers.heartbeat)
    claim = awaitable(servers.claim)
    unregister = awaitable(servers.unregister)
    maintenance = awaitable(servers.maintenance)
    metrics = awaitable(servers.metrics)


class AsyncStats(AsyncBound):
    """`client.stats`"""

    tasks = awaitable(stats.tasks)
    hourly = awaitable(stats.hourly)
    server = awaitable(stats.server)


class AsyncLoadBalancer(AsyncBound):
    """`client.load_balancer`"""

    status = awaitable(stats.load_balancer)
    set = awaitable(stats.set_algorithm)


class AsyncDispatcher(AsyncBound):
    """A client of one gateway for asyncio; the arguments are those of `Dispatcher`."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        max_retries: int = 2,
        transport: AsyncTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.url = checked_url(url or os.environ.get("DISPATCHER_URL") or DEFAULT_URL)
        token = token or os.environ.get("DISPATCHER_TOKEN")
        options = Options(token, timeout, max_retries, clock, rng or random.Random())  # noqa: S311 - jitter
        self._assemble(AsyncDriver(transport or AsyncHttpTransport(self.url), sleep), options)

    run = awaitable(tasks.run)

    def with_options(
        self, *, timeout: float | None = None, max_retries: int | None = None, token: str | None = None
    ) -> Self:
        """The same client, sharing the connections, with other options for what is called on it."""
        client = object.__new__(type(self))
        client.url = self.url
        given = {"timeout": timeout, "max_retries": max_retries, "token": token}
        changes = {name: value for name, value in given.items() if value is not None}
        client._assemble(self._driver, replace(self._options, **changes))  # type: ignore[arg-type]
        return client

    @property
    def token(self) -> str | None:
        """What it shows to the gateway."""
        return self._options.token

    async def close(self) -> None:
        """Release the connections."""
        await self._driver.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def _assemble(self, driver: AsyncDriver, options: Options) -> None:
        super().__init__(driver, options)
        self.tasks = AsyncTasks(driver, options)
        self.servers = AsyncServers(driver, options)
        self.stats = AsyncStats(driver, options)
        self.load_balancer = AsyncLoadBalancer(driver, options)
