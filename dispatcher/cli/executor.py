"""`dispatcher executor`: fetch jobs of the job queue and run them on this machine."""

import asyncio
import os
import random
import secrets
import socket
from dataclasses import replace
from urllib.parse import urlsplit

from dispatcher.cli.failures import Failure
from dispatcher.executor.errors import Refused, Unreachable
from dispatcher.executor.executor import Executor
from dispatcher.executor.http import Http
from dispatcher.executor.options import Options
from dispatcher.launch.logs import configure_logs
from dispatcher.launch.signals import stop_signals
from dispatcher.sandbox.home import home
from dispatcher.sandbox.program import Limits
from dispatcher.sandbox.user import unprivileged
from dispatcher.settings import SettingsError


def run_executor(
    *,
    url: str,
    token: str | None,
    executor_id: str | None,
    concurrency: int,
    max_download: int,
    max_memory: int | None,
    max_file: int,
    allow_http: bool,
    timeout: int,
    grace: int,
    once: bool,
) -> None:
    """Work until told to stop, or `once`. Raises SettingsError for a wrong flag, Failure when the queue refuses."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise SettingsError(["--url has to be an http or https URL, such as https://gateway.example.com/jobs/api/v1"])
    try:
        user = unprivileged()
    except KeyError:
        raise SettingsError(["this system has no user `nobody` to run jobs as; start the executor as a user"]) from None
    configure_logs("info", "auto")
    options = Options(
        url=url,
        executor_id=executor_id or f"{socket.gethostname()}-{secrets.token_hex(3)}",
        token=token,
        concurrency=concurrency,
        max_download=max_download,
        allow_http=allow_http,
        timeout_s=timeout,
        grace_s=grace,
        user=user,
        limits=Limits(memory=max_memory, file=max_file, cpu_s=timeout * (os.cpu_count() or 1)),
    )
    try:
        with home(user) as directory:
            asyncio.run(_run(replace(options, home=directory), once=once))
    except (Refused, Unreachable, ValueError) as error:
        raise Failure(f"{url}: {error}") from None


async def _run(options: Options, *, once: bool) -> None:
    async with Http(2 * options.concurrency + 2) as http, stop_signals() as (stopping, hurry):
        executor = Executor(http, options, rng=random.Random())  # noqa: S311 - jitter
        if once:
            await executor.once(stopping, hurry)
        else:
            await executor.run(stopping, hurry)
