"""One job from its binary's download to its report."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from dispatcher.executor import process
from dispatcher.executor.download import download
from dispatcher.executor.errors import JobError
from dispatcher.executor.http import Http
from dispatcher.executor.job import Job, Report
from dispatcher.executor.options import Options
from dispatcher.executor.process import Ended
from dispatcher.sandbox.place import Place, place
from dispatcher.sandbox.program import PATH, Program
from dispatcher.sandbox.waiting import first

log = logging.getLogger("dispatcher.executor")

T = TypeVar("T")
Cut = asyncio.Future[str]  # done with the reason why a job must not go on


async def attempt(job: Job, http: Http, options: Options, cut: Cut) -> Report:
    """Do the job. Whatever goes wrong is in the report; `cut` ends it early, within `terminate_s` or so."""
    late = f"the time limit of {options.timeout_s:g} s is over"
    timer = asyncio.get_running_loop().call_later(options.timeout_s, stop, cut, late)
    try:
        with place(options.user, options.home) as here:
            fetching = download(
                http,
                job.binary_url,
                job.binary_sha256,
                here.binary,
                most=options.max_download,
                allow_http=options.allow_http,
            )
            await _unless(cut, fetching)
            here.make_executable()
            return _report(await process.run(_program(job, here, options), cut, terminate_s=options.terminate_s))
    except JobError as error:
        return Report(error=str(error))
    except OSError as error:
        log.exception("job %s", job.id)
        return Report(error=f"the executor cannot run the binary: {error.strerror}")
    finally:
        timer.cancel()


def stop(cut: Cut, reason: str) -> None:
    """End the job of `cut`; the first reason counts."""
    if not cut.done():
        cut.set_result(reason)


def _program(job: Job, here: Place, options: Options) -> Program:
    work = str(here.work)
    own = {"PATH": PATH, "HOME": work, "TMPDIR": work, "LANG": "C.UTF-8", "JOB_ID": job.id}
    return Program(here.binary, job.arguments, {**own, **job.env_variables}, here.work, options.user, options.limits)


def _report(ended: Ended) -> Report:
    if ended.cut is not None:
        error: str | None = ended.cut
    elif ended.code == 0:
        error = None
    elif ended.code > 128:
        error = f"the binary was ended by signal {ended.code - 128}"
    else:
        error = f"the binary exited with {ended.code}"
    return Report(ended.stdout, ended.stderr, ended.code, error)


async def _unless(cut: Cut, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; raises JobError when `cut` is done first."""
    working = asyncio.ensure_future(work)
    try:
        await first(working, cut)
        if not working.done():
            raise JobError(cut.result())
        return working.result()
    finally:
        working.cancel()
        await first(working)
