"""Runs the command of a task as a plain process: without a shell, without rights, within what the task asked for."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.cgroups import Groups
from dispatcher.agent.errors import TaskError
from dispatcher.agent.lines import Lines
from dispatcher.agent.outputs import found_in, open_owned, refusal
from dispatcher.agent.pace import Sleep
from dispatcher.agent.runners.command import command_of, environment_of, image_of
from dispatcher.agent.runners.storage import kept_within
from dispatcher.agent.task import End, Needs
from dispatcher.agent.uploads import Uploads
from dispatcher.sandbox.place import clear_left, place
from dispatcher.sandbox.program import PATH, Limits, Program, signal_group, start, watched
from dispatcher.sandbox.users import Users, end_all_of
from dispatcher.sandbox.waiting import first

LAST_WORDS_S = 1.0  # for output of processes that left the group
MOST_FILE = 1 << 30


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """`user` is whom commands run as (user id, group id), None: as the agent itself; with `users` each as one of those,
    and nothing of it is left running. `timeout_s` is for one task, None: as the gateway says. `images` are patterns of
    images whose commands are run here without their image."""

    user: tuple[int, int] | None = None
    timeout_s: float | None = None
    terminate_s: float = 10.0
    images: tuple[str, ...] = ()
    users: Users | None = None


class ProcessRunner:
    """`groups` are control groups to keep processes within; None: resource limits of each process have to do. `home` is
    where the directories of tasks are made; None: where temporary files are."""

    def __init__(
        self,
        options: ProcessOptions,
        groups: Groups | None = None,
        home: Path | None = None,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._options = options
        self._sleep = sleep
        self._groups = groups
        self._home = home

    async def run(self, attempt: Attempt) -> End:
        task, options = attempt.task, self._options
        if task.kind == "docker":
            image_of(task.payload, options.images)
        command = command_of(task.payload)
        if not command:
            raise TaskError("command is missing")
        async with AsyncExitStack() as kept:
            user = options.user
            if options.users is not None:
                user = kept.enter_context(options.users.one())
                await end_all_of(user[0])  # an agent that was killed left what it ran
                await asyncio.to_thread(clear_left, user, self._home)
            here = kept.enter_context(place(user, self._home))
            if options.users is not None and user is not None:
                kept.push_async_callback(end_all_of, user[0])
            output = here.work / "output"
            output.mkdir(mode=0o700)
            if user is not None:
                os.chown(output, *user)
            group = None if self._groups is None else await kept.enter_async_context(self._groups.one(task.needs))
            program = Program(
                _executable(command[0], here.work),
                command[1:],
                _environment(attempt, here.work, output),
                here.work,
                user,
                self._limits(task.needs),
                command[0],
                group,
            )
            async with kept_within(here.work, attempt, self._sleep):
                code = await self._run(attempt, program)
            uploads = await _upload(attempt, output, user)
        if attempt.stopped.done():
            return End(error=attempt.stopped.result())
        if code < 0:
            return End(error=f"the command was ended by signal {-code}")
        if code != 0:
            return End(error=f"the command exited with {code}")
        return uploads.end(code)

    async def _run(self, attempt: Attempt, program: Program) -> int:
        """The exit code, -n after signal n. Nothing is left running in its process group."""
        started = start(program)
        pid, ended = started.process.pid, watched(started.process.pid)
        names = ("stdout", "stderr")
        streams = [
            Lines(pipe, partial(attempt.log.write, name), attempt.log.room)
            for name, pipe in zip(names, started.output, strict=True)
        ]
        timer = self._timer(attempt)
        attempt.when_paused(lambda on: signal_group(pid, signal.SIGSTOP if on else signal.SIGCONT))
        try:
            await first(ended, attempt.stopped)
            if not ended.done():
                attempt.when_paused(None)
                signal_group(pid, signal.SIGTERM)
                signal_group(pid, signal.SIGCONT)  # one that is held could not take its leave
                await first(ended, timeout_s=self._options.terminate_s)
        finally:
            timer()
            attempt.when_paused(None)
            # also after a normal end: what it left running. It has not been waited for, so its id is still its own
            signal_group(pid, signal.SIGKILL)
            await first(ended)
            code, refusal = started.process.wait(), started.refusal()
        await _last_words(streams)
        if refusal:
            raise TaskError(f"the command cannot be started: {refusal}")
        return code

    def _timer(self, attempt: Attempt) -> Callable[[], None]:
        limit = self._options.timeout_s
        if limit is None:
            return lambda: None
        late = f"the time limit of {limit:g} s is over"
        return asyncio.get_running_loop().call_later(limit, attempt.stop, late).cancel

    def _limits(self, needs: Needs) -> Limits:
        """Address space is not memory where a GPU's is mapped into it, and a control group counts better."""
        memory = needs.memory if self._groups is None and not needs.gpu else 0
        limit = self._options.timeout_s
        cpu_s = None if limit is None else round(limit * (os.cpu_count() or 1)) + 1
        return Limits(memory=memory or None, file=needs.storage or MOST_FILE, cpu_s=cpu_s)


def _executable(name: str, work: Path) -> Path:
    """Where a command is, by the usual rules. Raises TaskError."""
    found = str(work / name) if "/" in name else shutil.which(name, path=PATH)
    if found is None:
        raise TaskError(f"there is no command {name[:200]} on this worker")
    return Path(found)


def _environment(attempt: Attempt, work: Path, output: Path) -> Mapping[str, str]:
    own: dict[str, Any] = {"PATH": PATH, "HOME": str(work), "TMPDIR": str(work), "LANG": "C.UTF-8"}
    about = {"TASK_ID": attempt.task.id, "ATTEMPT": str(attempt.task.attempt), "OUTPUT_DIR": str(output)}
    return {**own, **environment_of(attempt.task.payload), **about}


async def _upload(attempt: Attempt, output: Path, user: tuple[int, int] | None) -> Uploads:
    owner = user[0] if user is not None else os.geteuid()
    uploads = Uploads(attempt)
    found = await asyncio.to_thread(found_in, output)
    uploads.tell(found.lines())
    for name, path in found.files:
        if (why := refusal(name)) is not None:
            uploads.tell([why])
            continue
        try:
            descriptor = open_owned(path, owner)
        except OSError as error:
            uploads.tell([f"[{name} was not uploaded: {error}]"])
            continue
        with os.fdopen(descriptor, "rb") as file:
            await uploads.send(name, file)
    return uploads


async def _last_words(streams: list[Lines]) -> None:
    """The rest of the output; a process that left the group and lives on would keep the pipes open for ever."""
    for stream in streams:
        stream.take_rest()
    try:
        async with asyncio.timeout(LAST_WORDS_S):
            for stream in streams:
                await stream.ended.wait()
    except TimeoutError:
        pass
    finally:
        for stream in streams:
            stream.close()
