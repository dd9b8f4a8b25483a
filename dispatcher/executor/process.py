"""Run a program without a shell, confined, in a process group of its own, and leave nothing of it behind."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.executor.errors import JobError
from dispatcher.executor.output import Capture
from dispatcher.sandbox.program import Program, exit_code, signal_group, start, watched
from dispatcher.sandbox.waiting import first

LAST_WORDS_S = 1.0  # for output of processes that left the group


@dataclass(frozen=True, slots=True)
class Ended:
    """`code` is the exit code, 128 + n after signal n. `cut` is why the program was stopped, if it was."""

    code: int
    stdout: str
    stderr: str
    cut: str | None = None


async def run(program: Program, cut: "asyncio.Future[str]", *, terminate_s: float) -> Ended:
    """Run until the end, or until `cut` has a reason to stop it: SIGTERM, then SIGKILL after `terminate_s`.

    Raises JobError when the program cannot be started.
    """
    started = start(program)
    process, streams = started.process, [Capture(pipe) for pipe in started.output]
    ended = watched(process.pid)
    try:
        await first(ended, cut)
        stopped = not ended.done()
        if stopped:
            signal_group(process.pid, signal.SIGTERM)
            await first(ended, timeout_s=terminate_s)
    finally:
        # also after a normal end: what it left running. It has not been waited for, so its id is still its own
        signal_group(process.pid, signal.SIGKILL)
        await first(ended)  # a driver may hold it for a while: the other jobs go on meanwhile
        code = exit_code(process)
        reason = started.refusal()
    await _last_words(streams)
    if reason:
        raise JobError(f"the binary cannot be started: {reason}")
    return Ended(code, streams[0].text, streams[1].text, cut.result() if stopped else None)


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
