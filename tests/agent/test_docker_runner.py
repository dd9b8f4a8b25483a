"""Containers, by way of the Docker library, on a stand-in of the engine: what is asked of it, and what comes of it."""

import asyncio
import io
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest

from dispatcher.agent.errors import NotHere, TaskError
from dispatcher.agent.runners.archive import members
from dispatcher.agent.task import End, Needs
from tests.agent.attempts import NoRoom
from tests.agent.containers import a_task, client, host, runner
from tests.agent.docker_engine import Engine

__all__ = ["client", "host"]


async def test_a_container_is_confined_to_what_the_task_asked_for(host: Engine, client: "docker.DockerClient") -> None:
    host.said = [("stdout", b"one\ntwo"), ("stderr", b"err\n")]
    host.output = {"results/answer.txt": b"42"}
    host.end.set()
    attempt, told = a_task(Needs(cpu=1.5, memory=1 << 30, gpu=1), env={"A": "x", "TASK_ID": "no"})
    assert await runner(client).run(attempt) == End(result={"exitCode": 0, "files": ["results/answer.txt"]})
    assert sorted(told.lines) == [("stderr", "err"), ("stdout", "one"), ("stdout", "two")]
    assert told.files == {"results/answer.txt": b"42"}, "and no link"
    made, limits = host.created, host.created["HostConfig"]
    assert (made["Image"], made["Cmd"]) == ("ubuntu:24.04", ["echo", "a b"])
    assert set(made["Env"]) == {"A=x", "TASK_ID=t1", "ATTEMPT=1", "OUTPUT_DIR=/output"}
    assert (limits["NanoCpus"], limits["Memory"], limits["MemorySwap"]) == (1_500_000_000, 1 << 30, 1 << 30)
    assert (limits["DeviceRequests"][0]["Count"], limits["DeviceRequests"][0]["Capabilities"]) == (1, [["gpu"]])
    assert (limits["NetworkMode"], limits["CapDrop"], limits["SecurityOpt"]) == ("none", ["ALL"], ["no-new-privileges"])
    assert not limits.get("Privileged")
    assert made["Labels"]["edge-dispatcher.agent"] == "box-1"
    assert limits["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "16m", "max-file": "2"}}
    assert not limits.get("Binds")
    assert not limits.get("Mounts")
    assert host.prepared == [("output", 0o777)]
    assert host.calls[-1] == "DELETE /containers/ID"


async def test_an_image_that_is_not_there_is_pulled_if_allowed(host: Engine, client: "docker.DockerClient") -> None:
    host.end.set()
    attempt, _ = a_task(docker_image="python:3.13", command="")
    assert (await runner(client).run(attempt)).error is None
    assert "python:3.13" in host.images
    assert host.created.get("Cmd") is None, "the image's own"
    gone, _ = a_task(docker_image="gone:1")
    with pytest.raises(TaskError, match="manifest of gone:1 unknown") as refused:
        await runner(client).run(gone)
    assert not refused.value.retryable
    host.calls.clear()
    other, _ = a_task(docker_image="evil:1")
    with pytest.raises(NotHere, match="image evil:1 is not allowed"):
        await runner(client).run(other)
    assert host.calls == []


async def test_another_exit_code_is_a_failure(host: Engine, client: "docker.DockerClient") -> None:
    host.code = 3
    host.end.set()
    attempt, _ = a_task()
    assert await runner(client).run(attempt) == End(error="the command exited with 3")
    host.code, host.out_of_memory = 137, True
    attempt, _ = a_task()
    told = "the command exited with 137: it took more memory than it had asked for"
    assert await runner(client).run(attempt) == End(error=told)


async def test_a_command_may_remove_its_output(host: Engine, client: "docker.DockerClient") -> None:
    host.output = None
    host.end.set()
    attempt, _ = a_task(Needs(cpu=0.001))
    assert await runner(client).run(attempt) == End(result={"exitCode": 0, "files": []})
    assert host.created["HostConfig"]["NanoCpus"] == 10_000_000, "the least that a kernel takes"


async def until(happened: threading.Event) -> None:
    assert await asyncio.to_thread(happened.wait, 10)


async def test_it_is_held_stopped_with_grace_and_removed(host: Engine, client: "docker.DockerClient") -> None:
    attempt, _ = a_task()
    running = asyncio.create_task(runner(client, terminate_s=2.5).run(attempt))
    await until(host.running)
    while "POST /containers/ID/wait" not in host.calls:  # noqa: ASYNC110 - another thread
        await asyncio.sleep(0.01)
    attempt.pause(True)
    attempt.stop("not wanted")
    assert await running == End(error="not wanted")
    done = [call.removeprefix("POST /containers/ID/") for call in host.calls if call.startswith("POST /containers/ID/")]
    assert done.index("unpause") < done.index("stop")
    assert host.calls[-1] == "DELETE /containers/ID"


async def test_a_container_that_goes_on_is_not_overtaken_by_its_pause(
    host: Engine, client: "docker.DockerClient"
) -> None:
    host.paused.clear()
    attempt, _ = a_task()
    running = asyncio.create_task(runner(client).run(attempt))
    await until(host.running)
    attempt.pause(True)
    await until(host.pausing)
    attempt.pause(False)
    await asyncio.sleep(0.05)
    assert "POST /containers/ID/unpause" not in host.calls
    host.paused.set()
    while "POST /containers/ID/unpause" not in host.calls:  # noqa: ASYNC110 - another thread
        await asyncio.sleep(0.01)
    host.end.set()
    await running


async def test_the_time_limit_holds(host: Engine, client: "docker.DockerClient") -> None:
    attempt, _ = a_task()
    assert (await runner(client, timeout_s=0.1).run(attempt)).error == "the time limit of 0.1 s is over"


async def test_lines_are_taken_from_the_engine_no_faster_than_there_is_room(
    host: Engine, client: "docker.DockerClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    host.said = [("stdout", b"one\n")]
    host.end.set()
    attempt, told = a_task()
    room = NoRoom(attempt, monkeypatch)
    running = asyncio.create_task(runner(client).run(attempt))
    async with asyncio.timeout(5):
        await room.asked.wait()
    assert told.lines == []
    room.made.set()
    await running
    assert told.lines == [("stdout", "one")]


@pytest.mark.parametrize("told", range(6))
async def test_what_is_not_told_by_the_end_is_asked_for(host: Engine, client: "docker.DockerClient", told: int) -> None:
    host.said = [("stdout", data) for data in (b"one\n", b"same\n", b"same\n", b"same\n", b"two, ", b"in pieces")]
    host.told = told
    host.end.set()
    attempt, heard = a_task()
    await runner(client).run(attempt)
    assert [text for _, text in heard.lines] == ["one", "same", "same", "same", "two, in pieces"]


async def test_too_much_output_is_not_uploaded(host: Engine, client: "docker.DockerClient") -> None:
    host.output = {"big": b"x" * 100_000}
    host.end.set()
    attempt, told = a_task()
    end = await runner(client, most_output=50_000).run(attempt)
    assert (end.result, told.files) == ({"exitCode": 0, "files": []}, {})
    assert told.lines == [("stderr", "[the output is too large to be uploaded]")]


async def test_a_file_of_an_odd_name_is_left_out(host: Engine, client: "docker.DockerClient") -> None:
    host.output = {"a\\b": b"1", "caf\udce9": b"2", "good": b"3"}
    host.end.set()
    attempt, told = a_task()
    end = await runner(client).run(attempt)
    assert (end.result, told.files) == ({"exitCode": 0, "files": ["good"]}, {"good": b"3"})
    assert [text.partition(":")[0] for _, text in told.lines] == [
        r"['a\\b' was not uploaded", r"['caf\udce9' was not uploaded"
    ]  # fmt: skip


async def test_further_names_of_a_file_are_files_and_what_is_none_is_told(
    host: Engine, client: "docker.DockerClient"
) -> None:
    host.output = {"a": b"1"}
    host.links = {"link": "/etc/passwd"}
    host.hard_links = {"b": "output/a", "c": "output/b", "d/e": "output/link", "f": "etc/passwd"}
    host.end.set()
    attempt, told = a_task()
    end = await runner(client).run(attempt)
    assert (end.result["files"], told.files) == (["a", "b", "c"], dict.fromkeys("abc", b"1"))
    assert told.lines == [("stderr", "[not uploaded, being no regular file that can be read: 'link', 'd/e', 'f']")]


def test_a_file_in_the_place_of_the_directory_is_told() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("output"))
    packed.seek(0)
    with tarfile.open(fileobj=packed) as archive:
        found = members(archive)
    assert (found.files, found.lines()) == ([], ["[nothing was uploaded: OUTPUT_DIR is no directory any more]"])


def test_nothing_is_read_behind_the_last_file_that_is_counted() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("output/a", "output/b", "output/c", "output/d", "output/e"):
            archive.addfile(tarfile.TarInfo(name))
    packed.seek(0)
    with tarfile.open(fileobj=packed) as archive:
        found = members(archive, 2, 2)
        assert ([name for name, _ in found.files], found.beyond) == (["a", "b"], 2)
        assert len(archive.members) == 4


async def test_an_engine_that_is_away_is_worth_another_try(client: "docker.DockerClient", host: Engine) -> None:
    host.server.shutdown()
    host.server.server_close()
    attempt, _ = a_task()
    with pytest.raises(TaskError) as failed:
        await runner(client).run(attempt)
    assert failed.value.retryable


async def test_what_could_not_be_removed_is_before_the_next_one(host: Engine, client: "docker.DockerClient") -> None:
    host.stubborn = True
    host.end.set()
    ours = runner(client)
    await ours.run(a_task()[0])
    host.stubborn = False
    host.calls.clear()
    await ours.run(a_task()[0])
    assert host.calls.index("DELETE /containers/ID") < host.calls.index("POST /containers/create")
    assert host.calls.count("DELETE /containers/ID") == 2


async def test_waiting_for_a_container_takes_no_thread_of_others(host: Engine, client: "docker.DockerClient") -> None:
    pool = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(pool)
    attempt, _ = a_task()
    running = asyncio.create_task(runner(client).run(attempt))
    async with asyncio.timeout(10):
        while not host.running.is_set():  # noqa: ASYNC110 - another thread
            await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        assert await asyncio.to_thread(lambda: "beat") == "beat"
    attempt.stop("not wanted")
    assert await running == End(error="not wanted")


async def test_a_task_does_not_wait_for_its_image_once_it_is_stopped(
    host: Engine, client: "docker.DockerClient"
) -> None:
    host.slow_pull = True
    attempt, _ = a_task(docker_image="python:3.13")
    running = asyncio.create_task(runner(client).run(attempt))
    await until(host.pulling)
    attempt.stop("not wanted")
    async with asyncio.timeout(5):
        assert await running == End(error="not wanted")
    host.end.set()
    async with asyncio.timeout(5):
        while host.calls[-1] != "GET /images/python:3.13/json":  # noqa: ASYNC110 - another thread
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert host.created == {}


def test_what_a_killed_agent_left_is_removed_and_nothing_else(host: Engine, client: "docker.DockerClient") -> None:
    runner(client).remove_leftovers()
    assert host.calls == ["GET /containers/json"]
    host.labelled = "edge-dispatcher.agent=box-1"
    runner(client).remove_leftovers()
    assert host.calls[-1] == "DELETE /containers/ID"
    assert host.calls.count("DELETE /containers/ID") == 1
