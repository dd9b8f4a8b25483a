"""The executor as a program of its own, against a real gateway and a server of binaries."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import LiveGateway
from tests.executor.servers import Files, listening
from tests.support.program import Program

pytestmark = pytest.mark.e2e

HANG = "#!/bin/sh\necho begun\nwhile :; do sleep 0.05; done\n"


@pytest.fixture
def files() -> Iterator[Files]:
    site = Files()
    with listening(site):
        yield site


class Jobs:
    """A client of the job queue."""

    def __init__(self, gateway: LiveGateway) -> None:
        token = gateway.token("--sub", "ann", "--role", "client")
        self.url = f"{gateway.url}/jobs/api/v1"
        self.http = httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"})
        self._gateway = gateway

    def executor(self, *flags: str, name: str = "worker-1") -> Program:
        token = self._gateway.token("--sub", name, "--role", "server", "--server-id", f"jobs:{name}")
        return self._gateway.start(
            "executor", "--url", self.url, "--id", name, "--allow-http", *flags, DISPATCHER_TOKEN=token
        )

    async def submit(self, binary: tuple[str, str], *arguments: str, **env: str) -> str:
        url, digest = binary
        job = {
            "type": "t", "binary_url": url, "binary_sha256": digest, "arguments": list(arguments),
            "env_variables": env, "priority": "background",
        }  # fmt: skip
        answer = await self.http.post(f"{self.url}/jobs", json=job)
        assert answer.status_code == 201, answer.text
        name: str = answer.json()["id"]
        return name

    async def get(self, name: str) -> dict[str, Any]:
        answer = await self.http.get(f"{self.url}/jobs/{name}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def until(self, name: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while not condition(found := await self.get(name)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        return found

    async def ended(self, name: str) -> dict[str, Any]:
        return await self.until(name, lambda job: job["status"] in ("completed", "failed", "cancelled"))


@pytest.fixture
async def jobs(gateway: LiveGateway) -> AsyncIterator[Jobs]:
    made = Jobs(gateway)
    async with made.http:
        yield made


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory in which an unprivileged job can leave its mark."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        directory = Path(name)
        directory.chmod(0o777)
        yield directory


def _terminated(executor: Program) -> int:
    """SIGTERM for the program alone, as a job that is just being started is still of its process group."""
    executor.process.send_signal(signal.SIGTERM)
    return executor.process.wait(20)


async def test_jobs_are_run_and_shown_with_their_output(jobs: Jobs, files: Files, shared: Path) -> None:
    url, digest = files.add("mark", f"#!/bin/sh\ntouch {shared}/$1\n")
    good = await jobs.submit(files.add("good", '#!/bin/sh\necho "$1 $KEY"\necho err >&2\n'), "a b", KEY="v")
    bad = await jobs.submit(files.add("bad", "#!/bin/sh\necho some\nexit 3\n"))
    wrong = await jobs.submit((url, "0" * 64), "wrong")
    right = await jobs.submit((url, digest), "right")
    flood = await jobs.submit(files.add("flood", "#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x\n"))
    executor = jobs.executor("--concurrency", "2")
    found = [await jobs.ended(name) for name in (good, bad, wrong, right, flood)]
    assert [job["status"] for job in found] == ["completed", "failed", "failed", "completed", "completed"]
    assert (found[0]["stdout"], found[0]["stderr"], found[0]["exit_code"]) == ("a b v\n", "err\n", 0)
    assert (found[1]["stdout"], found[1]["exit_code"], found[1]["error_message"]) == (
        "some\n", 3, "the binary exited with 3",
    )  # fmt: skip
    assert digest in found[2]["error_message"]
    assert [mark.name for mark in shared.iterdir()] == ["right"]
    assert len(found[4]["stdout"]) == 1_048_576
    assert {job["executor_id"] for job in found} == {"worker-1"}
    assert [attempt["status"] for attempt in found[0]["attempts"]] == ["completed"]
    assert executor.stop(signal.SIGTERM) == 0


async def test_told_to_stop_it_lets_its_job_end_and_takes_no_other(jobs: Jobs, files: Files) -> None:
    first = await jobs.submit(files.add("b", "#!/bin/sh\nsleep 1\necho done\n"))
    executor = jobs.executor()
    await jobs.until(first, lambda job: job["status"] == "running")
    second = await jobs.submit(files.add("b", "#!/bin/sh\nsleep 1\necho done\n"))
    assert _terminated(executor) == 0
    assert (await jobs.get(first))["stdout"] == "done\n"
    assert (await jobs.get(second))["status"] == "pending"


async def test_a_job_that_outlasts_the_grace_is_failed(jobs: Jobs, files: Files) -> None:
    name = await jobs.submit(files.add("hang", HANG))
    executor = jobs.executor("--grace", "0")
    await jobs.until(name, lambda job: job["status"] == "running")
    executor.until(r"begins")
    assert _terminated(executor) == 0
    found = await jobs.get(name)
    assert (found["status"], found["error_message"]) == ("failed", "the executor was shut down")


async def test_the_time_limit_holds(jobs: Jobs, files: Files) -> None:
    name = await jobs.submit(files.add("hang", HANG))
    executor = jobs.executor("--timeout", "1", "--once")
    found = await jobs.ended(name)
    assert (found["status"], found["stdout"]) == ("failed", "begun\n")
    assert found["error_message"] == "the time limit of 1 s is over"
    assert executor.process.wait(20) == 0


async def test_once_without_a_job_and_without_a_right(jobs: Jobs, gateway: LiveGateway) -> None:
    assert jobs.executor("--once").process.wait(20) == 0
    client = gateway.token("--sub", "ann", "--role", "client")
    refused = gateway.start("executor", "--url", jobs.url, DISPATCHER_TOKEN=client)
    refused.until(r"dispatcher: http://\S+/jobs/api/v1: 403 ")
    assert refused.process.wait(20) == 1
    assert client not in refused.seen
    odd = gateway.start("executor", "--url", "gateway.example.com")
    odd.until(r"dispatcher: --url has to be an http or https URL")
    assert odd.process.wait(20) == 2
