"""Runs the image of a task in a container: only images that are allowed, with no privileges, no mounts, no network
unless the operator gave one, and within what the task asked for."""

import asyncio
import logging
import math
import tarfile
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import docker
from docker.errors import NotFound
from docker.types import DeviceRequest, LogConfig

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.errors import NotHere
from dispatcher.agent.outputs import refusal
from dispatcher.agent.runners.archive import empty_directory, members, opened, spooled
from dispatcher.agent.runners.command import command_of, environment_of, image_of
from dispatcher.agent.runners.container_output import Output, say
from dispatcher.agent.runners.engine import (
    ERRORS,
    check_limits,
    end_of,
    failure,
    fetch_image,
    no_container,
    text_of,
)
from dispatcher.agent.task import End, Needs, Task
from dispatcher.agent.threads import in_thread
from dispatcher.agent.uploads import Uploads
from dispatcher.sandbox.waiting import first

log = logging.getLogger("dispatcher.agent")

OUTPUT_DIR = "/output"
TASK_LABEL = "edge-dispatcher.task"
AGENT_LABEL = "edge-dispatcher.agent"
MOST_PROCESSES = 4_096
LEAST_CPU = 0.01  # cores; the kernel counts in milliseconds of a tenth of a second
LAST_WORDS_S = 30.0  # what is left of the output when a container has ended


@dataclass(frozen=True, slots=True)
class DockerOptions:
    """`images` are patterns of what may be run; `network` is what containers join; `terminate_s` is between SIGTERM and
    SIGKILL; `most_output` bytes of files are taken from a container. `agent` is the name of this worker, by which its
    containers are known again."""

    images: tuple[str, ...]
    agent: str
    network: str = "none"
    terminate_s: float = 10.0
    timeout_s: float | None = None
    most_output: int = 10 << 30


class DockerRunner:
    """`client` speaks to the engine; its calls block, so they are made in threads."""

    def __init__(self, client: "docker.DockerClient", options: DockerOptions) -> None:
        self._client = client
        self._options = options
        self._left: list[Any] = []  # containers that could not be removed: the engine was away

    def remove_leftovers(self) -> None:
        """The containers of an agent of this name that was killed: it could not remove them. Raises DockerException or
        OSError."""
        label = f"{AGENT_LABEL}={self._options.agent}"
        for container in self._client.containers.list(all=True, filters={"label": label}, ignore_removed=True):
            log.warning("removing container %s, left by an agent that was killed", container.short_id)
            self._remove(container)

    async def run(self, attempt: Attempt) -> End:
        task = attempt.task
        image = image_of(task.payload, self._options.images)
        settings = self._settings(task)
        container = await self._made(attempt, image, settings)
        if container is None:
            return End(error=attempt.stopped.result())
        try:
            code = await self._run(attempt, container)
            why = await in_thread(partial(end_of, container, code)) if code != 0 else None
            uploads = await self._upload(attempt, container)
        except ERRORS as error:
            raise failure("the container failed", error, task.needs) from None
        finally:
            await asyncio.shield(in_thread(partial(self._remove, container)))
        if attempt.stopped.done():
            return End(error=attempt.stopped.result())
        if why is not None:
            return End(error=why)
        return uploads.end(code)

    def _settings(self, task: Task) -> dict[str, Any]:
        """What the container may do and take. Raises TaskError."""
        needs = task.needs
        about = {"TASK_ID": task.id, "ATTEMPT": str(task.attempt), "OUTPUT_DIR": OUTPUT_DIR}
        settings: dict[str, Any] = {
            "command": command_of(task.payload) or None,
            "environment": {**environment_of(task.payload), **about},
            "labels": {TASK_LABEL: task.id, AGENT_LABEL: self._options.agent},
            "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": "16m", "max-file": "2"}),
            "privileged": False,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": MOST_PROCESSES,
            "network_mode": self._options.network,
        }
        if needs.cpu:
            settings["nano_cpus"] = round(max(needs.cpu, LEAST_CPU) * 1e9)
        if needs.memory:
            settings |= {"mem_limit": needs.memory, "memswap_limit": needs.memory}
        if needs.gpu:
            settings["device_requests"] = [DeviceRequest(count=math.ceil(needs.gpu), capabilities=[["gpu"]])]
        return settings

    async def _made(self, attempt: Attempt, image: str, settings: dict[str, Any]) -> Any:
        """A container, None for a task that was stopped before it was there: a pull may take long. Raises
        TaskError, NotHere."""
        wanted = threading.Event()
        wanted.set()
        making = asyncio.ensure_future(in_thread(partial(self._create, attempt.task.needs, image, settings, wanted)))
        try:
            await first(making, attempt.stopped)
            return making.result() if making.done() else None
        except ERRORS as error:
            raise no_container(error, attempt.task.needs) from None
        finally:
            if not making.done():
                wanted.clear()
                making.cancel()

    def _create(self, needs: Needs, image: str, settings: dict[str, Any], wanted: threading.Event) -> Any:
        """None when it is `wanted` no more; then nobody else removes it."""
        left, self._left = self._left, []
        for container in left:
            self._remove(container)
        fetch_image(self._client, image)
        if not wanted.is_set():
            return None
        container = self._client.containers.create(image, **settings)
        try:
            check_limits(container, needs)
            container.put_archive("/", empty_directory(OUTPUT_DIR))
        except (NotHere, *ERRORS):
            self._remove(container)
            raise
        if not wanted.is_set():
            self._remove(container)
        return container

    def _remove(self, container: Any) -> None:
        try:
            container.remove(force=True, v=True)
        except NotFound:
            pass
        except ERRORS as error:
            log.warning("a container could not be removed, it will be with the next one: %s", text_of(error))
            self._left.append(container)

    async def _run(self, attempt: Attempt, container: Any) -> int:
        """The exit code. The container does not run any more."""
        loop = asyncio.get_running_loop()
        await in_thread(container.start)
        ended: asyncio.Task[dict[str, Any]] = asyncio.create_task(in_thread(container.wait))
        said = [
            asyncio.create_task(_heard(Output(container, stream, partial(say, loop, attempt, stream)), ended))
            for stream in ("stdout", "stderr")
        ]
        limit = self._options.timeout_s
        late = f"the time limit of {limit:g} s is over" if limit is not None else ""
        timer = loop.call_later(limit, attempt.stop, late) if limit is not None else None
        holding: set[asyncio.Task[Any]] = set()
        turn = asyncio.Lock()  # the engine may overtake itself: what is asked of it last has to be done last

        async def held(on: bool) -> None:
            async with turn:
                await in_thread(partial(_quietly, container.pause if on else container.unpause))

        def hold(on: bool) -> None:
            task = loop.create_task(held(on))
            holding.add(task)
            task.add_done_callback(holding.discard)

        attempt.when_paused(hold)
        try:
            await first(ended, attempt.stopped)
            attempt.when_paused(None)
            if not ended.done():
                if attempt.paused:  # one that is held could not take its leave
                    await held(False)
                await in_thread(partial(container.stop, timeout=math.ceil(self._options.terminate_s)))
            told = await ended
            await asyncio.wait(said, timeout=LAST_WORDS_S)
        finally:
            if timer is not None:
                timer.cancel()
            attempt.when_paused(None)
            for job in (ended, *said):
                job.cancel()
        return int(told["StatusCode"])

    async def _upload(self, attempt: Attempt, container: Any) -> Uploads:
        """Send what is below the output directory, through a file of our own: the container's disk goes with it."""
        uploads = Uploads(attempt)
        with tempfile.TemporaryFile() as spool:
            try:
                small = await in_thread(partial(self._fetch, container, spool))
            except NotFound:
                return uploads  # the command has removed it
            if not small:
                uploads.tell(["[the output is too large to be uploaded]"])
                return uploads
            spool.seek(0)
            with tarfile.open(fileobj=spool) as archive:
                found = await in_thread(partial(members, archive))
                uploads.tell(found.lines())
                for name, member in found.files:
                    if (why := refusal(name)) is not None:
                        uploads.tell([why])
                        continue
                    await uploads.send(name, opened(archive, member))
        return uploads

    def _fetch(self, container: Any, spool: Any) -> bool:
        """Copy the output directory as an archive; False when it is too large."""
        chunks, _ = container.get_archive(OUTPUT_DIR)
        return spooled(chunks, spool, self._options.most_output)


async def _heard(output: Output, ended: "asyncio.Task[Any]") -> None:
    await in_thread(output.follow)
    await first(ended)
    await in_thread(output.finish)


def _quietly(act: Callable[[], None]) -> None:
    with suppress(*ERRORS):  # it has ended meanwhile
        act()
