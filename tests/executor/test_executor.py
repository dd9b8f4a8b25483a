"""The executor against a stand-in of the job queue, with real binaries."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dispatcher.executor.errors import Refused
from dispatcher.executor.executor import Executor
from dispatcher.executor.http import Http
from dispatcher.executor.options import Options
from tests.executor.servers import FakeQueue, Files

HANG = '#!/bin/sh\necho $$ > "$PID_FILE"\necho begun\ntrap "" TERM\nwhile :; do sleep 0.05; done\n'


async def soon(_: float) -> None:
    await asyncio.sleep(0.01)


class Run:
    """An executor at work."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.stopping, self.hurry = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(executor.run(self.stopping, self.hurry))

    async def stop(self) -> None:
        self.stopping.set()
        await self.task


def options(queue: FakeQueue, **more: Any) -> Options:
    given = {"allow_http": True, "wait_s": 0, "terminate_s": 0.1, "token": "the-token", **more}
    return Options(url=f"{queue.url}/api/v1/", executor_id="worker-1", **given)


@asynccontextmanager
async def running(
    queue: FakeQueue, *, sleep: Callable[[float], Awaitable[object]] = soon, **more: Any
) -> AsyncIterator[Run]:
    async with Http(20) as http:
        run = Run(Executor(http, options(queue, **more), rng=random.Random(1), sleep=sleep))
        try:
            yield run
        finally:
            run.hurry.set()
            run.stopping.set()
            await asyncio.gather(run.task, return_exceptions=True)


async def until(queue: FakeQueue, condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(queue.wait_for, condition)


async def reports(queue: FakeQueue, *names: str) -> list[tuple[str, dict[str, Any]]]:
    await until(queue, lambda: set(names) <= queue.reports.keys())
    return [queue.reports[name] for name in names]


async def test_a_job_is_run_and_its_output_reported(queue: FakeQueue, files: Files) -> None:
    binary = files.add("b", '#!/bin/sh\necho "out $1 $KEY $JOB_ID"\necho err >&2\n')
    queue.job("job-1", binary, "one two", KEY="value")
    async with running(queue):
        [(verb, fields)] = await reports(queue, "job-1")
    assert verb == "complete"
    assert fields == {
        "executor_id": "worker-1", "stdout": "out one two value job-1\n", "stderr": "err\n", "exit_code": 0,
    }  # fmt: skip
    assert {headers["authorization"] for *_, headers in queue.seen} == {"Bearer the-token"}
    assert not any("authorization" in headers for *_, headers in files.seen)
    assert queue.executors == {"worker-1"}


async def test_failures_say_why(queue: FakeQueue, files: Files, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    tmp_path.chmod(0o777)
    url, digest = files.add("touch", f"#!/bin/sh\ntouch {ran}\n")
    queue.job("code", files.add("code", "#!/bin/sh\necho some\nexit 7\n"))
    queue.job("signal", files.add("signal", "#!/bin/sh\nkill -9 $$\n"))
    queue.job("hash", (url, "0" * 64))
    queue.job("large", files.add("large", "#!/bin/sh\n" + "#" * 2000))
    queue.job("absent", (f"{files.url}/absent", "0" * 64))
    queue.jobs.append({"id": "odd", "binary_url": url, "binary_sha256": digest, "arguments": [1]})
    async with running(queue, max_download=1000):
        code, signal, digested, large, absent, odd = await reports(
            queue, "code", "signal", "hash", "large", "absent", "odd"
        )
    assert code == ("fail", {"executor_id": "worker-1", "stdout": "some\n", "stderr": "", "exit_code": 7,
                             "error_message": "the binary exited with 7"})  # fmt: skip
    assert (signal[1]["exit_code"], signal[1]["error_message"]) == (137, "the binary was ended by signal 9")
    for (verb, fields), said in ((digested, digest), (large, "larger than 1000"), (absent, "404"), (odd, "arguments")):
        assert verb == "fail"
        assert said in fields["error_message"]
        assert "exit_code" not in fields
    assert not ran.exists(), "a binary with another hash must never run"
    queue.job("right", (url, digest))
    async with running(queue):
        await reports(queue, "right")
    assert ran.exists()  # or the check above could not fail


async def test_the_time_limit_ends_a_job(queue: FakeQueue, files: Files) -> None:
    queue.job("slow", files.add("slow", HANG), PID_FILE="pid")
    async with running(queue, timeout_s=0.7):
        [(verb, fields)] = await reports(queue, "slow")
    assert (verb, fields["stdout"], fields["exit_code"]) == ("fail", "begun\n", 137)
    assert fields["error_message"] == "the time limit of 0.7 s is over"


async def test_the_time_limit_covers_the_download(queue: FakeQueue, files: Files) -> None:
    release = threading.Event()

    class Slow(bytes):
        def __len__(self) -> int:
            release.wait(20)
            return 0

    files.special["/slow"] = (200, {}, Slow())
    queue.job("slow", (f"{files.url}/slow", "0" * 64))
    try:
        async with running(queue, timeout_s=0.2):
            [(_, fields)] = await reports(queue, "slow")
    finally:
        release.set()
    assert "time limit" in fields["error_message"]


async def test_heartbeats_go_on_and_a_lost_job_is_stopped_without_a_report(queue: FakeQueue, files: Files) -> None:
    queue.job("lost", files.add("hang", HANG), PID_FILE="pid")
    queue.refuse["PUT", "/api/v1/jobs/lost/heartbeat"] = [500, 403]
    async with running(queue) as run:
        await until(queue, lambda: len(queue.heartbeats) > 2)
        assert set(queue.heartbeats) == {"lost"}
        queue.refuse["PUT", "/api/v1/jobs/lost/heartbeat"] = [404]
        queue.job("next", files.add("b", "#!/bin/sh\n"))
        assert (await reports(queue, "next"))[0][0] == "complete"
        await run.stop()
    assert "lost" not in queue.reports


@pytest.mark.parametrize(
    ("lease", "apart"), [("4", 4 / 3), ("60", 15), ("", 15), ("soon", 15), ("nan", 15), ("0", 15), ("-1", 15)]
)
async def test_a_heartbeat_each_third_of_the_lease(queue: FakeQueue, files: Files, lease: str, apart: float) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0.01)

    queue.lease = lease
    queue.job("job-1", files.add("hang", HANG), PID_FILE="pid")
    async with running(queue, sleep=sleep):
        await until(queue, lambda: len(queue.heartbeats) > 2)
        assert set(slept) == {apart}


async def test_a_report_is_repeated_until_it_is_taken(queue: FakeQueue, files: Files) -> None:
    queue.job("job-1", files.add("b", "#!/bin/sh\n"))
    queue.refuse["PUT", "/api/v1/jobs/job-1/complete"] = [500, 503, 429]
    async with running(queue):
        await reports(queue, "job-1")
    assert [path for _, path, _ in queue.seen].count("/api/v1/jobs/job-1/complete") == 4


async def test_a_refused_report_is_final(queue: FakeQueue, files: Files) -> None:
    queue.job("job-1", files.add("b", "#!/bin/sh\n"))
    queue.job("job-2", files.add("b", "#!/bin/sh\n"))
    queue.refuse["PUT", "/api/v1/jobs/job-1/complete"] = [400]
    async with running(queue):
        await reports(queue, "job-2")
    assert "job-1" not in queue.reports


async def test_no_more_jobs_at_once_than_it_may_have(queue: FakeQueue, files: Files) -> None:
    binary = files.add("b", "#!/bin/sh\nsleep 0.3\n")
    for n in range(4):
        queue.job(f"job-{n}", binary)
    async with running(queue, concurrency=2) as run:
        await until(queue, lambda: len(queue.jobs) == 2)
        while len(queue.reports) < 4:
            assert len(run.executor._running) <= 2
            await asyncio.sleep(0.01)


async def test_told_to_stop_it_claims_no_more_and_lets_jobs_end(queue: FakeQueue, files: Files) -> None:
    queue.job("job-1", files.add("b", "#!/bin/sh\nsleep 0.3\necho done\n"))
    async with running(queue) as run:
        await until(queue, lambda: bool(queue.heartbeats))
        queue.job("job-2", files.add("b2", "#!/bin/sh\n"))
        await run.stop()
    assert queue.reports["job-1"][1]["stdout"] == "done\n"
    assert "job-2" not in queue.reports
    assert len(queue.jobs) == 1


@pytest.mark.parametrize("hurried", [True, False])
async def test_a_job_that_takes_longer_is_killed_and_failed(queue: FakeQueue, files: Files, hurried: bool) -> None:
    queue.job("long", files.add("hang", HANG), PID_FILE="pid")
    async with running(queue, grace_s=60.0 if hurried else 0.1) as run:
        await until(queue, lambda: len(queue.heartbeats) > 20)
        if hurried:
            run.hurry.set()
        await run.stop()
    verb, fields = queue.reports["long"]
    assert (verb, fields["stdout"], fields["error_message"]) == ("fail", "begun\n", "the executor was shut down")


async def test_it_waits_for_a_queue_that_is_away_and_ends_when_it_is_refused(queue: FakeQueue) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    queue.refuse["POST", "/api/v1/jobs/claim"] = [503, 429, 500, 401]
    async with running(queue, sleep=sleep) as run:
        with pytest.raises(Refused, match="401 as planned"):
            await run.task
    assert [low <= pause <= 2 * low for pause, low in zip(slept, (1, 2, 4), strict=True)] == [True] * 3


async def test_once_takes_one_job_or_none(queue: FakeQueue, files: Files) -> None:
    async with Http(2) as http:
        executor = Executor(http, options(queue), rng=random.Random(1))
        assert await executor.once(asyncio.Event(), asyncio.Event()) is False
        queue.job("job-1", files.add("b", "#!/bin/sh\n"))
        queue.job("job-2", files.add("b", "#!/bin/sh\n"))
        assert await executor.once(asyncio.Event(), asyncio.Event()) is True
    assert list(queue.reports) == ["job-1"]


@pytest.mark.parametrize("in_time", [True, False])
async def test_told_to_stop_it_gives_a_claim_on_its_way_a_moment(queue: FakeQueue, files: Files, in_time: bool) -> None:
    queue.hold = threading.Event()
    async with running(queue) as run:
        await until(queue, lambda: bool(queue.seen))
        stopping = asyncio.create_task(run.stop())
        await asyncio.sleep(0)
        if in_time:
            queue.job("job-1", files.add("b", "#!/bin/sh\n"))
            queue.hold.set()
        await asyncio.wait_for(stopping, 10)
    queue.hold.set()
    assert list(queue.reports) == (["job-1"] if in_time else [])
