"""Start a program without a shell, confined, in a process group of its own."""

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

from dispatcher.sandbox.leftovers import MARK

CONFINE = Path(__file__).with_name("confine.py")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may take; None = as much as there is. Sizes in bytes.

    memory   address space. CUDA programs map far more than they use: none by default
    file     the largest file that it may write
    cpu_s    seconds of processor time
    """

    memory: int | None = None
    file: int | None = 1 << 30
    cpu_s: int | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, where, with which environment (nothing of our own but a mark) and as whom. `name` is what it is
    told that it is called (None: the last part of its path); `group` is a file that takes the id of its process (a
    control group)."""

    path: Path
    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    user: tuple[int, int] | None
    limits: Limits
    name: str | None = None
    group: Path | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """`output` are the reading ends of its pipes; `status` tells why the program could not be started."""

    process: "subprocess.Popen[bytes]"
    output: tuple[int, int]
    status: int

    def refusal(self) -> str:
        """Why the program could not be started; empty when it could. Once, after its end."""
        with open(self.status, "rb") as file:
            return file.read().decode("utf-8", "replace")


def start(program: Program) -> Started:
    """Raises OSError when there cannot even be a process."""
    wanted = {
        "program": str(program.path),
        "arguments": [program.name or program.path.name, *program.arguments],
        "environment": {**program.environment, MARK: str(program.directory)},
        "directory": str(program.directory),
        "user": program.user,
        "limits": _limits(program.limits),
        "group": None if program.group is None else str(program.group),
    }
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
    pipes = [os.pipe() for _ in range(3)]
    (out, out_end), (err, err_end), (status, status_end) = pipes
    try:
        with tempfile.TemporaryFile() as spec:
            spec.write(json.dumps(wanted).encode())
            spec.seek(0)
            process = subprocess.Popen(  # noqa: S603 - it is what this package is for
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
    return Started(process, (out, err), status)


def _limits(limits: Limits) -> dict[str, int]:
    given = {"RLIMIT_CPU": limits.cpu_s, "RLIMIT_FSIZE": limits.file, "RLIMIT_CORE": 0, "RLIMIT_AS": limits.memory}
    return {name: most for name, most in given.items() if most is not None}


def watched(pid: int) -> "asyncio.Future[None]":
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


def exit_code(process: "subprocess.Popen[bytes]") -> int:
    """Of one that has ended, once its status is taken; 128 + n after signal n."""
    code = process.wait()
    return code if code >= 0 else 128 - code


def signal_group(group: int, number: signal.Signals) -> None:
    """To all that are in it; to nobody when there is none."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
