"""Servers that fetch their work."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from dispatcher_sdk import Backend, Context, InvalidInput
from dispatcher_sdk.backend.calls import Calls
from dispatcher_sdk.backend.functions import Functions
from dispatcher_sdk.backend.http_server import HttpResponse
from dispatcher_sdk.backend.job import Job, Outcome
from dispatcher_sdk.backend.pull import CLAIM_WAIT, Pull, job
from dispatcher_sdk.errors import ConnectionFailed
from dispatcher_sdk.models import ClaimedTask
from tests.sdk.backend.fake_gateway import FakeGateway, fake_gateway, serving

TASK: dict[str, Any] = {
    "taskId": "task_1",
    "type": "t",
    "priority": 5,
    "payload": {"n": 21},
    "capabilities": ["c"],
    "attempt": 1,
    "callbackUrl": "https://elsewhere.example.com/api/task/task_1",
    "callbackToken": "callback-1",
    "deadline": 1_704_557_100_000,
    "lease": 30,
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


def backend_of(gateway: FakeGateway, **options: Any) -> Backend:
    return Backend("gpu-01", dispatcher_url=gateway.url, token="admin", transport="pull", **options)


def claimed(**changes: Any) -> ClaimedTask:
    return ClaimedTask.model_validate({**TASK, **changes})


async def test_from_registration_to_departure_without_a_port() -> None:
    async with fake_gateway() as gateway:
        backend = backend_of(gateway, capabilities=["video"], max_concurrent=3)

        @backend.predict
        def double(payload: Any) -> Any:
            return {"double": 2 * payload["n"]}

        async with serving(backend) as url:
            assert url == gateway.url
            assert gateway.registered["transport"] == "pull"
            assert not {"endpoints", "apiKey"} & gateway.registered.keys()
            gateway.tasks.append(TASK)
            assert await gateway.until("PUT", "/api/task/task_1") == {"status": "COMPLETED", "result": {"double": 42}}
            assert await gateway.until("POST", "/api/servers/server_1/claim") == {"wait": CLAIM_WAIT}
    tokens = {(method, path): token for method, path, token in gateway.log}
    assert tokens["POST", "/api/servers/server_1/claim"] == "server-token"
    assert tokens["PUT", "/api/task/task_1"] == "callback-1"
    maintenance = gateway.index("POST", "/api/servers/server_1/maintenance")
    assert maintenance < gateway.index("DELETE", "/api/servers/server_1")
    assert gateway.log[-1] == ("DELETE", "/api/servers/server_1", "server-token")


@pytest.mark.parametrize(("error", "retryable"), [(InvalidInput("no text"), False), (RuntimeError("no memory"), True)])
async def test_failures_are_reported(error: Exception, retryable: bool) -> None:
    async with fake_gateway() as gateway:
        backend = backend_of(gateway)

        @backend.predict
        def fail(payload: Any) -> Any:
            raise error

        async with serving(backend):
            gateway.tasks.append(TASK)
            ended = await gateway.until("PUT", "/api/task/task_1")
    assert (ended["status"], ended["retryable"]) == ("FAILED", retryable)
    assert str(error) in ended["error"]


async def test_a_function_learns_from_its_progress_that_nobody_waits() -> None:
    async with fake_gateway() as gateway:
        backend = backend_of(gateway)
        stopped = asyncio.Event()
        gateway.on_put = lambda body: HttpResponse(409)

        @backend.predict
        async def endless(payload: Any, ctx: Context) -> Any:
            ctx.progress(1)
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

        async with serving(backend):
            gateway.tasks.append(TASK)
            await stopped.wait()


async def test_told_to_stop_it_finishes_what_it_has_and_claims_no_more() -> None:
    async with fake_gateway() as gateway:
        backend = backend_of(gateway, max_concurrent=1)
        began, release = asyncio.Event(), asyncio.Event()

        @backend.predict
        async def work(payload: Any) -> Any:
            began.set()
            await release.wait()
            return "done"

        async with serving(backend):
            gateway.tasks += [TASK, {**TASK, "taskId": "task_2"}]
            await began.wait()
            backend.stop()
            await gateway.until("POST", "/api/servers/server_1/maintenance")
            release.set()
    assert ("PUT", "/api/task/task_1", "callback-1") in gateway.log
    assert [path for _, path, _ in gateway.log].count("/api/servers/server_1/claim") == 1
    assert len(gateway.tasks) == 1


def test_a_claimed_task_is_a_job_that_reports_to_its_own_gateway() -> None:
    made = job(claimed())
    assert (made.task_id, made.attempt, made.type, made.payload, made.key) == ("task_1", 1, "t", {"n": 21}, "task_1")
    assert (made.priority, made.capabilities, made.deadline) == (5, ("c",), TASK["deadline"])
    assert made.traceparent == TASK["traceparent"]
    assert made.callback is not None
    assert (made.callback.url, made.callback.token) == ("/api/task/task_1", "callback-1")
    assert "callback-1" not in repr(claimed()) + repr(made)


def test_what_has_no_meaning_without_a_port() -> None:
    Backend("b", transport="pull", host="")  # nobody has to reach it
    Backend("b", transport="pull", server_id="server_7", token="t")  # nor to show it a key
    with pytest.raises(ValueError, match="transport has to be"):
        Backend("b", transport="carrier pigeon")  # type: ignore[arg-type]


class Member:
    """Claims in order; `None` when nothing is left."""

    def __init__(self, *answers: ClaimedTask | Exception | None) -> None:
        self.answers = list(answers)
        self.claims = 0
        self.held = asyncio.Event()

    async def claim(self, wait: float) -> ClaimedTask | None:
        self.claims += 1
        if not self.answers:
            await self.held.wait()
            return claimed(taskId="task_late")
        given = self.answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given


class Told:
    """Makes reporters that remember how jobs ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, int, Outcome]] = []

    def __call__(self, job: Job, on_stale: Callable[[], None]) -> Any:
        told = self

        class Reporter:
            current = job

            def progress(self, percent: float) -> None: ...

            def stop(self) -> None: ...

            def adopt(self, later: Job) -> None:
                self.current = later

            async def end(self, outcome: Outcome) -> None:
                told.ends.append((self.current.task_id, self.current.attempt, outcome))

        return Reporter()


class World:
    def __init__(self, function: Callable[[Any], Any], *answers: ClaimedTask | Exception | None, room: int = 2) -> None:
        functions = Functions()
        functions.add(function, None)
        self.told = Told()
        self.calls = Calls(functions, self.told, max_concurrent=room, report_ends=True)
        self.slept: list[float] = []
        self.now = 0.0
        self.pull = Pull(self.calls, self.told, sleep=self.sleep, clock=lambda: self.now)
        self.member = Member(*answers)
        self.work = asyncio.create_task(self.pull.work(self.member))  # type: ignore[arg-type]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)

    async def stop(self) -> None:
        await self.pull.drain()
        await self.calls.drain(5)
        await self.pull.close(1)
        self.work.cancel()
        await asyncio.wait({self.work})


async def echo(payload: Any) -> Any:
    return payload


async def test_a_gateway_that_is_away_is_asked_less_and_less_often(caplog: pytest.LogCaptureFixture) -> None:
    away = [ConnectionFailed("away", sent=False) for _ in range(6)]
    world = World(echo, *away, claimed(), away[0])
    await world.until(lambda: world.member.claims == 9)
    assert world.slept == [1, 2, 4, 8, 15, 15, 1]
    assert "callback-1" not in caplog.text
    world.member.held.set()
    await world.stop()


async def test_a_gateway_that_does_not_wait_is_not_pressed() -> None:
    world = World(echo, None, None)
    await world.until(lambda: world.member.claims == 3)
    assert world.slept == [1, 1]
    await world.stop()


async def test_no_claim_without_room() -> None:
    release = asyncio.Event()

    async def work(payload: Any) -> Any:
        await release.wait()

    world = World(work, claimed(), claimed(taskId="task_2"), claimed(taskId="task_3"))
    await world.until(lambda: world.calls.active == 2)
    for _ in range(10):
        await asyncio.sleep(0)
    assert world.member.claims == 2
    release.set()
    await world.until(lambda: world.member.claims == 4)
    world.work.cancel()
    await world.stop()
    assert [task for task, *_ in world.told.ends] == ["task_1", "task_2", "task_3"]


async def test_a_task_that_comes_again_joins_or_is_told_from_memory() -> None:
    release = asyncio.Event()
    runs = []

    async def work(payload: Any) -> Any:
        runs.append(payload)
        await release.wait()
        return "once"

    world = World(work, claimed(), claimed(attempt=2))
    await world.until(lambda: world.member.claims == 3)
    release.set()
    await world.until(lambda: len(world.told.ends) == 1)
    world.member.answers = [None, claimed(attempt=3)]
    world.member.held.set()
    await world.until(lambda: len(world.told.ends) >= 3)
    await world.stop()
    ends = [(task, attempt, json.loads(outcome.body)) for task, attempt, outcome in world.told.ends]
    assert ends[0] == ("task_1", 2, "once")
    assert ("task_1", 3, "once") in ends
    assert len(runs) == 2  # once, and for the late task


async def test_an_unknown_type_fails_the_task() -> None:
    functions = Functions()
    functions.add(echo, "other")
    told = Told()
    calls = Calls(functions, told, max_concurrent=1, report_ends=True)
    pull = Pull(calls, told)
    member = Member(claimed())
    work = asyncio.create_task(pull.work(member))  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        while not told.ends:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    assert told.ends[0][2].status == 422
    member.held.set()
    await pull.drain()
    work.cancel()
    await asyncio.wait({work})


async def test_a_claim_on_its_way_is_not_thrown_away() -> None:
    world = World(echo)
    await world.until(lambda: world.member.claims == 1)
    draining = asyncio.create_task(world.stop())
    await asyncio.sleep(0)
    world.member.held.set()
    await draining
    assert [task for task, *_ in world.told.ends] == ["task_late"]
    assert world.member.claims == 1
