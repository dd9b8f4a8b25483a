"""Progress and ends on their way to the gateway."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from dispatcher_sdk.backend.job import Callback, Job, Outcome
from dispatcher_sdk.backend.reports import Reporter, over_http
from dispatcher_sdk.drivers import AsyncDriver
from dispatcher_sdk.errors import ConnectionFailed
from dispatcher_sdk.flows.steps import Request, Response
from tests.sdk.script import Clock

CALLBACK = Callback("http://gateway.test/api/task/task_1", "callback-token")


class Gateway:
    """Answers each PUT with the next of `statuses`, the last one for ever; 0 is a broken connection."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == 0:
            raise ConnectionFailed("broke", sent=True)
        return Response(status)

    async def close(self) -> None: ...

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.body or b"null") for request in self.requests]


def reporter(
    gateway: Gateway,
    clock: Clock,
    on_stale: Callable[[], None] = lambda: None,
    callback: Callback | None = CALLBACK,
    ask: bool = False,
) -> Reporter:
    async def sleep(seconds: float) -> None:
        clock.now += seconds
        await asyncio.sleep(0)

    job = Job("task_1", 1, "t", {}, "task_1", callback=callback)
    return Reporter(job, over_http(AsyncDriver(gateway, sleep)), on_stale=on_stale, ask=ask, sleep=sleep, clock=clock)


async def settled(reports: Reporter) -> None:
    assert reports._sender is not None
    await asyncio.wait({reports._sender})


async def test_progress_goes_to_the_callback_with_the_attempts_token() -> None:
    gateway = Gateway(200)
    reports = reporter(gateway, Clock())
    reports.progress(45)
    await settled(reports)
    (request,) = gateway.requests
    assert (request.method, request.url) == ("PUT", CALLBACK.url)
    assert request.headers["Authorization"] == "Bearer callback-token"
    assert request.headers["X-Callback-Token"] == "callback-token"
    assert request.headers["X-Attempt"] == "1"
    assert gateway.bodies == [{"status": "PROCESSING", "progress": 45}]


async def test_of_many_values_within_a_second_only_the_newest_is_sent() -> None:
    gateway, clock = Gateway(200), Clock()
    reports = reporter(gateway, clock)
    reports.progress(1)
    await asyncio.sleep(0)
    for percent in (10, 20, 30.5):
        reports.progress(percent)
    await settled(reports)
    assert [body["progress"] for body in gateway.bodies] == [1, 30.5]
    assert clock.now == 1001.0


async def test_progress_stays_between_0_and_100_and_never_goes_back() -> None:
    gateway = Gateway(200)
    reports = reporter(gateway, Clock())
    for percent in (50, 20, -5, 400):
        reports.progress(percent)
        await settled(reports)
    assert [body["progress"] for body in gateway.bodies] == [50, 100]


async def test_a_stale_attempt_is_told_so_unless_a_later_one_has_joined() -> None:
    stale: list[bool] = []
    reports = reporter(Gateway(409), Clock(), lambda: stale.append(True))
    reports.progress(5)
    await settled(reports)
    assert stale == [True]


@pytest.mark.parametrize("status", [500, 429, 403, 0])
async def test_lost_progress_is_no_reason_to_stop(status: int) -> None:
    gateway = Gateway(status)
    reports = reporter(gateway, Clock())
    reports.progress(5)
    await settled(reports)
    reports.progress(6)
    await settled(reports)
    assert len(gateway.requests) == 2


async def test_without_a_callback_nothing_is_sent() -> None:
    gateway = Gateway(200)
    reports = reporter(gateway, Clock(), callback=None)
    reports.progress(5)
    await reports.end(Outcome(200, b"1"))
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("outcome", "body"),
    [
        (Outcome(200, b'{"n":1}'), {"status": "COMPLETED", "result": {"n": 1}}),
        (Outcome.refused(500, "boom"), {"status": "FAILED", "error": "boom", "retryable": True}),
        (Outcome.refused(422, "bad"), {"status": "FAILED", "error": "bad", "retryable": False}),
    ],
)
async def test_the_end_is_told_until_it_is_taken(outcome: Outcome, body: Any) -> None:
    gateway = Gateway(0, 503, 200)
    await reporter(gateway, Clock()).end(outcome)
    assert gateway.bodies == [body] * 3


@pytest.mark.parametrize(("status", "tries"), [(409, 1), (404, 1), (503, 13)])
async def test_a_refused_end_is_given_up(status: int, tries: int, caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway(status)
    await reporter(gateway, Clock()).end(Outcome(200, b"1"))
    assert len(gateway.requests) == tries
    assert "was not taken" in caplog.text
    assert "callback-token" not in caplog.text


async def test_a_later_attempt_reports_with_its_own_token() -> None:
    gateway = Gateway(200)
    reports = reporter(gateway, Clock())
    reports.adopt(Job("task_1", 2, "t", {}, "task_1", callback=Callback(CALLBACK.url, "second")))
    await reports.end(Outcome(200, b"1"))
    assert gateway.requests[0].headers["Authorization"] == "Bearer second"
    assert gateway.requests[0].headers["X-Attempt"] == "2"


async def test_an_attempt_that_joins_while_the_end_is_told_is_told_too() -> None:
    class Joined(Gateway):
        async def send(self, request: Request) -> Response:
            if not self.requests:
                reports.adopt(Job("task_1", 2, "t", {}, "task_1", callback=Callback(CALLBACK.url, "second")))
            return await super().send(request)

    gateway = Joined(409, 200)
    reports = reporter(gateway, Clock())
    await reports.end(Outcome(200, b"1"))
    assert [request.headers["X-Callback-Token"] for request in gateway.requests] == ["callback-token", "second"]


async def test_progress_after_the_end_is_not_sent() -> None:
    gateway = Gateway(200)
    reports = reporter(gateway, Clock())
    await reports.end(Outcome(200, b"1"))
    reports.progress(99)
    assert reports._sender is None
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("status", [409, 404])
async def test_a_server_that_cannot_be_called_asks_whether_it_is_still_wanted(status: int) -> None:
    gateway, clock, stale = Gateway(200, 500, 200, status), Clock(), asyncio.Event()
    start = clock.now
    reports = reporter(gateway, clock, stale.set, ask=True)
    await asyncio.wait_for(stale.wait(), 10)
    assert gateway.bodies == [{"status": "PROCESSING"}] * 4
    assert clock.now - start == 4 * 5.0
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(gateway.requests) == 4, "once is enough"
    reports.stop()


async def test_it_stops_asking_at_the_end() -> None:
    gateway = Gateway(200)
    reports = reporter(gateway, Clock(), ask=True)
    await reports.end(Outcome(200, b"1"))
    sent = len(gateway.requests)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(gateway.requests) == sent


async def test_a_later_attempt_is_not_stopped_by_the_answer_to_an_earlier_one() -> None:
    stale = asyncio.Event()
    later = Job("task_1", 2, "t", {}, "task_1", callback=CALLBACK)

    class Slow(Gateway):
        async def send(self, request: Request) -> Response:
            reports.adopt(later)
            return await super().send(request)

    reports = reporter(Slow(409), Clock(), stale.set, ask=True)
    assert await reports._tell({}) is True
    assert not stale.is_set()
    assert await reports._tell({}) is False
    assert stale.is_set()
    reports.stop()
