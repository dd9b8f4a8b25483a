"""The blocking client."""

import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from dispatcher_sdk._binding import Bound, blocking, pages, tailing
from dispatcher_sdk.drivers import Driver
from dispatcher_sdk.flows import servers, stats, task_files, task_logs, tasks
from dispatcher_sdk.flows.steps import Options
from dispatcher_sdk.transports import HttpTransport, Transport, checked_url

DEFAULT_URL = "http://127.0.0.1:8787"


class Tasks(Bound):
    """`client.tasks`"""

    submit = blocking(tasks.submit)
    get = blocking(tasks.get)
    wait = blocking(tasks.wait)
    list = pages(tasks.list_all)
    update = blocking(tasks.update)
    retry = blocking(tasks.retry)
    cancel = blocking(tasks.cancel)
    pause = blocking(tasks.pause)
    resume = blocking(tasks.resume)
    delete = blocking(tasks.delete)
    logs = blocking(task_logs.read)
    follow = tailing(task_logs.follow)
    files = blocking(task_files.list_all)
    download = blocking(task_files.download)


class Servers(Bound):
    """`client.servers`"""

    register = blocking(servers.register)
    list = pages(servers.list_all)
    get = blocking(servers.get)
    heartbeat = blocking(servers.heartbeat)
    claim = blocking(servers.claim)
    unregister = blocking(servers.unregister)
    maintenance = blocking(servers.maintenance)
    metrics = blocking(servers.metrics)


class Stats(Bound):
    """`client.stats`"""

    tasks = blocking(stats.tasks)
    hourly = blocking(stats.hourly)
    server = blocking(stats.server)


class LoadBalancer(Bound):
    """`client.load_balancer`"""

    status = blocking(stats.load_balancer)
    set = blocking(stats.set_algorithm)


class Dispatcher(Bound):
    """A client of one gateway.

    `url` and `token` default to DISPATCHER_URL (else http://127.0.0.1:8787) and DISPATCHER_TOKEN. `timeout` is seconds
    per request, `max_retries` how often a failed request that may be repeated is sent again. `transport`, `sleep`,
    `clock` (seconds) and `rng` (jitter) are for tests. Safe to share between threads. Raises ValueError for a bad URL.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        max_retries: int = 2,
        transport: Transport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.url = checked_url(url or os.environ.get("DISPATCHER_URL") or DEFAULT_URL)
        token = token or os.environ.get("DISPATCHER_TOKEN")
        options = Options(token, timeout, max_retries, clock, rng or random.Random())  # noqa: S311 - jitter
        self._assemble(Driver(transport or HttpTransport(self.url), sleep), options)

    run = blocking(tasks.run)

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

    def close(self) -> None:
        """Release the connections."""
        self._driver.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def _assemble(self, driver: Driver, options: Options) -> None:
        super().__init__(driver, options)
        self.tasks = Tasks(driver, options)
        self.servers = Servers(driver, options)
        self.stats = Stats(driver, options)
        self.load_balancer = LoadBalancer(driver, options)
