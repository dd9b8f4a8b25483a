"""`dispatcher agent`: take tasks of a gateway over one socket and run them on this machine."""

import asyncio
import importlib
import logging
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dispatcher.cli.failures import Failure
from dispatcher.launch.logs import configure_logs
from dispatcher.launch.signals import stop_signals
from dispatcher.sandbox.home import home
from dispatcher.sandbox.leftovers import end_strays
from dispatcher.sandbox.user import unprivileged
from dispatcher.sandbox.users import users_of
from dispatcher.settings import SettingsError

log = logging.getLogger("dispatcher.agent")

EXTRA = ("httpx", "psutil", "websockets")
INSTALL = "pip install '.[agent]' in a clone"
MISCONFIGURED = 78  # the exit code for which a supervisor must not start it again (EX_CONFIG)
LEAST_PART, MOST_PARTS, MOST_MB = 0.001, 65_536, 1 << 30
BOUNDS = f"cpu and gpu from {LEAST_PART} to {MOST_PARTS}, the others whole and from 1 to {MOST_MB}"
PARTS = ("cpu", "gpu")
RESOURCES = ("cpu", "memoryMB", "storageMB", "gpu", "gpuMemoryMB")


@dataclass(frozen=True, slots=True)
class AgentFlags:
    """As they were given."""

    url: str
    name: str
    token: str | None
    server_id: str | None
    runners: Sequence[str]
    models: Path | None
    allow_image: Sequence[str]
    docker_network: str
    concurrency: int
    capabilities: Sequence[str]
    groups: Sequence[str]
    resources: Sequence[str]
    timeout: int | None
    grace: int
    terminate: int
    users: str | None


def run_agent(flags: AgentFlags) -> int:
    """Work until told to stop; the exit code. Raises SettingsError for a wrong flag, Failure for an agent refused."""
    problems = list(_problems(flags))
    if problems:
        raise SettingsError(problems)
    try:
        user = unprivileged()
    except KeyError:
        raise SettingsError(["this system has no user `nobody` to run tasks as; start the agent as a user"]) from None
    configure_logs("info", "auto")
    from dispatcher.agent.errors import Misconfigured, Refused

    try:
        with home(user) as directory:
            return asyncio.run(_run(flags, user, directory))
    except Refused as error:
        raise Failure(f"{flags.url}: {error}") from None
    except Misconfigured as error:
        raise Failure(f"{flags.url}: {error}", code=MISCONFIGURED) from None


def _problems(flags: AgentFlags) -> list[str]:
    parts = urlsplit(flags.url)
    problems = []
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        problems.append("--url has to be an http or https URL, such as https://gateway.example.com")
    if not flags.token:
        problems.append("--token is missing: an admin's, or with --server-id that server's")
    if ("model" in flags.runners) != (flags.models is not None):
        problems.append("--runner model goes with --models DIR")
    if flags.models is not None and not flags.models.is_dir():
        problems.append(f"--models {flags.models} is no directory")
    if "docker" in flags.runners and not flags.allow_image:
        problems.append("--runner docker goes with --allow-image: no image is allowed by itself")
    problems += [
        f"--resource {text} is not one of {', '.join(RESOURCES)}, = and a number: {BOUNDS}"
        for text in flags.resources
        if _amount(text) is None
    ]
    problems += _users_problems(flags)
    problems += [f"the agent needs {name}: {INSTALL}" for name in EXTRA if not _there(name)]
    return problems


def _users_problems(flags: AgentFlags) -> list[str]:
    if flags.users is None:
        return []
    if os.geteuid() != 0:
        return ["--users needs an agent that runs as root"]
    try:
        users = users_of(flags.users)
    except ValueError as error:
        return [f"--users {flags.users} {error}"]
    few = len(users) < flags.concurrency
    return [f"--users {flags.users} are fewer than --concurrency {flags.concurrency}"] if few else []


def _amount(text: str) -> tuple[str, float] | None:
    """None for what the gateway would not take."""
    name, _, value = text.partition("=")
    try:
        amount = float(value)
    except ValueError:
        return None
    if name in PARTS:
        return (name, amount) if LEAST_PART <= amount <= MOST_PARTS else None
    whole = name in RESOURCES and 1 <= amount <= MOST_MB and amount.is_integer()
    return (name, int(amount)) if whole else None


def _there(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


async def _run(flags: AgentFlags, user: tuple[int, int] | None, directory: Path) -> int:
    from dispatcher.agent.agent import Agent
    from dispatcher.agent.api import Api, http_client
    from dispatcher.agent.gpus import find_gpus
    from dispatcher.agent.machine import Machine
    from dispatcher.agent.models import Models
    from dispatcher.agent.options import Options

    gpus = find_gpus()
    models = Models(flags.models, gpus.memory_of, home=directory) if flags.models is not None else None
    groups = await _clean_groups(flags)
    runners = _runners(flags, user, models, directory, groups)
    amounts = dict(filter(None, map(_amount, flags.resources)))
    machine = Machine(str(directory), gpus)
    options = Options(
        url=flags.url,
        name=flags.name,
        token=flags.token or "",
        server_id=flags.server_id,
        concurrency=flags.concurrency,
        kinds=tuple(sorted(runners)),
        capabilities=tuple(flags.capabilities),
        groups=tuple(flags.groups),
        resources={**machine.totals(), **amounts} if amounts else None,
        grace_s=flags.grace,
        terminate_s=flags.terminate,
    )
    async with http_client() as client, stop_signals() as (stopping, hurry):
        agent = Agent(options, Api(options.url, client), machine, runners, models, rng=random.Random())  # noqa: S311
        return await agent.run(stopping, hurry)


async def _clean_groups(flags: AgentFlags) -> Any:
    """Control groups for tasks, None where there are none, without what an agent left in them or as its users."""
    from dispatcher.agent.cgroups import own_groups

    groups = own_groups() if "process" in flags.runners else None
    if groups is not None:
        await groups.remove_left()
    if flags.users is not None:
        await asyncio.to_thread(end_strays, users_of(flags.users).ids)
    return groups


def _runners(
    flags: AgentFlags, user: tuple[int, int] | None, models: Any, directory: Path, groups: Any
) -> Mapping[str, Any]:
    """By kind. Without an engine of containers, commands of images that are allowed run as plain processes."""
    from dispatcher.agent.runners.model import ModelRunner
    from dispatcher.agent.runners.process import ProcessOptions, ProcessRunner

    found: dict[str, Any] = {}
    images = tuple(flags.allow_image)
    if "process" in flags.runners:
        users = users_of(flags.users) if flags.users is not None else None
        if users is None and flags.concurrency > 1:
            log.warning("tasks that run at the same time are the same user, and not kept apart: see --users")
        options = ProcessOptions(user, flags.timeout, flags.terminate, images, users)
        found["process"] = ProcessRunner(options, groups, directory)
        if images:
            found["docker"] = found["process"]
    if "docker" in flags.runners:
        found["docker"] = _docker_runner(flags, images)
    if models is not None:
        found["model"] = ModelRunner(models, flags.terminate)
    return found


def _docker_runner(flags: AgentFlags, images: tuple[str, ...]) -> Any:
    try:
        import docker

        from dispatcher.agent.runners.docker import DockerOptions, DockerRunner
    except ImportError:
        raise SettingsError([f"--runner docker needs docker: {INSTALL}"]) from None
    try:
        client = docker.from_env()
        runner = DockerRunner(
            client, DockerOptions(images, flags.name, flags.docker_network, flags.terminate, flags.timeout)
        )
        runner.remove_leftovers()
    except (docker.errors.DockerException, OSError) as error:
        raise Failure(f"no engine of containers: {error}") from None
    return runner
