"""Run a program without a shell, confined, in a process group of its own, and leave nothing of it behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dispatcher.executor.errors import JobError
from dispatcher.executor.options import Limits
from dispatcher.executor.output import Capture
from dispatcher.executor.waiting import first

CONFINE = Path(__file__).with_name("confine.py")
LAST_WORDS_S = 1.0  # for output of processes that left the group
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, where, with which environment (nothing of the executor's own) and as whom."""

    path: Path
    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    user: tuple[int, int] | None
    limits: Limits


@dataclass(frozen=True, slots=True)
class Ended:
    """`code` is the exit code, 128 + n after signal n. `cut` is why the program was stopped, if it was."""

    code: int
    stdout: str
    stderr: str
    cut: str | None = None


@dataclass(frozen=True, slots=True)
class _Started:
    """`output` are the reading ends of its pipes; `status` tells why the program could not be started."""

    process: "subprocess.Popen[bytes]"
    output: tuple[int, int]
    status: int


async def run(program: Program, cut: "asyncio.Future[str]", *, terminate_s: float) -> Ended:
    """Run until the end, or until `cut` has a reason to stop it: SIGTERM, then SIGKILL after `terminate_s`.

    Raises JobError when the program cannot be started.
    """
    started = _start(program)
    process, streams = started.process, [Capture(pipe) for pipe in started.output]
    ended = _watched(process.pid)
    try:
        await first(ended, cut)
        stopped = not ended.done()
        if stopped:
            _signal(process.pid, signal.SIGTERM)
            await first(ended, timeout_s=terminate_s)
    finally:
        # also after a normal end: what it left running. It has not been waited for, so its id is still its own
        _signal(process.pid, signal.SIGKILL)
        await first(ended)  # a driver may hold it for a while: the other jobs go on meanwhile
        process.wait()
        reason = _read_all(started.status)
    await _last_words(streams)
    if reason:
        raise JobError(f"the binary cannot be started: {reason}")
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Ended(code, streams[0].text, streams[1].text, cut.result() if stopped else None)


def _start(program: Program) -> _Started:
    wanted = {
        "program": str(program.path),
        "arguments": [program.path.name, *program.arguments],
        "environment": dict(program.environment),
        "directory": str(program.directory),
        "user": program.user,
        "limits": _limits(program.limits),
    }
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
    pipes = [os.pipe() for _ in range(3)]
    (out, out_end), (err, err_end), (status, status_end) = pipes
    try:
        with tempfile.TemporaryFile() as spec:
            spec.write(json.dumps(wanted).encode())
            spec.seek(0)
            process = subprocess.Popen(  # noqa: S603 - it is what an executor does
                [sys.executable, "-I", "-S", str(CONFINE), str(status_end)],
                stdin=spec,
                stdout=out_end,
                stderr=err_end,
                pass_fds=(status_end,),
                start_new_session=True,
                cwd="/",
                env=ours,
            )
    except OSError:
        for reading, _ in pipes:
            os.close(reading)
        raise
    finally:
        for _, writing in pipes:
            os.close(writing)
    return _Started(process, (out, err), status)


def _limits(limits: Limits) -> dict[str, int]:
    given = {"RLIMIT_CPU": limits.cpu_s, "RLIMIT_FSIZE": limits.file, "RLIMIT_CORE": 0, "RLIMIT_AS": limits.memory}
    return {name: most for name, most in given.items() if most is not None}


def _watched(pid: int) -> "asyncio.Future[None]":
    """Done when the process has ended, without taking its exit status: its id stays its own until it is waited for."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not ended.done():
            ended.set_result(None)

    def watch() -> None:
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=watch, name=f"process-{pid}", daemon=True).start()
    return ended


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _read_all(pipe: int) -> str:
    with open(pipe, "rb") as file:
        return file.read().decode("utf-8", "replace")


async def _last_words(streams: Sequence[Capture]) -> None:
    """The rest of the output; a process that left the group and lives on would keep the pipes open for ever."""
    try:
        async with asyncio.timeout(LAST_WORDS_S):
            for stream in streams:
                await stream.ended.wait()
    except TimeoutError:
        pass
    finally:
        for stream in streams:
            stream.close()
