import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.failure import Accepted, Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.lane import Offer
from dispatcher.domain.server import Endpoints, Server
from dispatcher.forward import HttpForwarder, UrlPolicy
from dispatcher.forward.transport import Transport
from tests.forward import servers
from tests.forward.conftest import MakeTransport
from tests.forward.servers import answer, serving

GRANT = Grant(
    task_id="task_1",
    server_id="server_1",
    fence=3,
    nonce="n0nce",
    type="image.classify",
    lane="l",
    points=15,
    spec=b'{"priority":1,"capabilities":["video"],"other":true}',
    payload=b'{ "x": 1.500, "x": 2 }',
    now_ms=0,
    deadline_ms=60_000,
)


def open_key(server_id: str, sealed: bytes) -> str:
    if sealed == b"moved":
        raise ValueError("cannot be opened")
    return sealed.decode()


def forwarder(transport: Transport, **options: Any) -> HttpForwarder:
    return HttpForwarder(
        transport,
        open_key=open_key,
        callback_token=lambda task_id, fence, nonce: f"cb_{task_id}.{fence}.{nonce}",
        callback_url="http://127.0.0.1:8787/api/task/{id}",
        **options,
    )


def server_at(predict: str, key: bytes = b"k-1", **urls: str) -> Server:
    return Server("server_1", 1, "native", "gpu", Endpoints(predict, **urls), Offer(), 0, 0, sealed_key=key)


async def predict(make_transport: MakeTransport, url: str, grant: Grant = GRANT, **options: Any) -> Outcome | Accepted:
    return await forwarder(make_transport(), **options).predict(grant, server_at(url), remaining_ms=2_000)


async def test_the_predict_call(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b'{"label": "cat"}')) as server:
        outcome = await predict(make_transport, server.url())
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.result) == (Verdict.COMPLETED, b'{"label": "cat"}')
    request = server.requests[0]
    assert request.line == "POST /predict HTTP/1.1"
    traceparent = request.headers.pop("traceparent")
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", traceparent)
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "content-length": str(len(request.body)),
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "edge-dispatcher",
        "authorization": "Bearer k-1",
        "x-task-id": "task_1",
        "x-attempt": "3",
        "x-callback-url": "http://127.0.0.1:8787/api/task/task_1",
        "x-callback-token": "cb_task_1.3.n0nce",
        "x-deadline-ms": "2000",
        "idempotency-key": "task_1",
    }
    assert GRANT.payload in request.body  # byte by byte, duplicate keys and all
    assert json.loads(request.body) == {
        "taskId": "task_1",
        "type": "image.classify",
        "priority": 1,
        "payload": {"x": 2},
        "capabilities": ["video"],
        "attempt": 3,
    }


@pytest.mark.parametrize(
    ("spec", "points", "priority"),
    [(b"{}", 50, 5), (b"{}", 15, 1.5), (b'{"priority":7}', 15, 7), (b"no object", 100, 10), (b"[]", 0, 0)],
)
async def test_priority(make_transport: MakeTransport, spec: bytes, points: int, priority: float) -> None:
    async with serving(answer(200, b"{}")) as server:
        await predict(make_transport, server.url(), replace(GRANT, spec=spec, points=points, payload=b""))
    body = json.loads(server.requests[0].body)
    assert (body["priority"], type(body["priority"])) == (priority, type(priority))
    assert body["payload"] is None


@pytest.mark.parametrize("kept", [True, False])
async def test_the_callers_trace_goes_on(make_transport: MakeTransport, kept: bool) -> None:
    given = f"00-{'a' * 32}-{'b' * 16}-01" if kept else f"00-{'0' * 32}-{'b' * 16}-01\r\nX: 1"
    spec = json.dumps({"traceparent": given}).encode()
    async with serving(answer(200, b"{}")) as server:
        await predict(make_transport, server.url(), replace(GRANT, spec=spec), entropy=lambda n: b"\xcd" * n)
    assert server.requests[0].headers["traceparent"] == (given if kept else f"00-{'cd' * 16}-{'cd' * 8}-01")


@pytest.mark.parametrize(
    ("behaviour", "verdict", "code", "slot_free"),
    [
        (answer(200, b"NaN"), Verdict.FAILURE, "BAD_ANSWER", True),
        (answer(204), Verdict.FAILURE, "BAD_ANSWER", True),
        (answer(302, b"", "Location: /other\r\n"), Verdict.FAILURE, "BACKEND_ERROR", True),
        (answer(401, b"{}"), Verdict.FAILURE, "BACKEND_ERROR", True),
        (answer(422, b"{}"), Verdict.FAILED, "REJECTED", True),
        (answer(503), Verdict.BUSY, "", True),
        (answer(200, b'"' + b"x" * 100_000 + b'"'), Verdict.FAILED, "RESULT_TOO_LARGE", True),
        (answer(500, b'"' + b"x" * 100_000 + b'"'), Verdict.FAILURE, "BACKEND_ERROR", True),
        (servers.endless, Verdict.FAILED, "RESULT_TOO_LARGE", True),
        (servers.reset(), Verdict.LOST, "BACKEND_LOST", False),
        (servers.raw(b"", close=True), Verdict.LOST, "BACKEND_LOST", False),
    ],
)
async def test_misbehaving_servers(
    make_transport: MakeTransport, behaviour: servers.Behaviour, verdict: Verdict, code: str, slot_free: bool
) -> None:
    async with serving(behaviour) as server:
        outcome = await predict(make_transport, server.url(), result_max_bytes=50_000)
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.code, outcome.slot_free) == (verdict, code, slot_free)


async def test_accepted(make_transport: MakeTransport) -> None:
    async with serving(answer(202)) as server:
        assert await predict(make_transport, server.url()) == Accepted()


async def test_no_answer_in_time(make_transport: MakeTransport) -> None:
    async with serving(servers.silence) as server:
        caller = forwarder(make_transport())
        outcome = await caller.predict(GRANT, server_at(server.url()), remaining_ms=100)
    assert outcome == Outcome(
        Verdict.TIMED_OUT, code="TIMEOUT", text="the server did not answer in time", slot_free=False
    )


@pytest.mark.parametrize("remaining_ms", [0, -5])
async def test_no_time_left_sends_nothing(make_transport: MakeTransport, remaining_ms: int) -> None:
    async with serving(answer(200, b"{}")) as server:
        caller = forwarder(make_transport())
        outcome = await caller.predict(GRANT, server_at(server.url()), remaining_ms=remaining_ms)
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.slot_free, server.connections) == (Verdict.TIMED_OUT, True, 0)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://127.0.0.1:{closed}/", b"k"),
        ("http://169.254.169.254/", b"k"),
        ("file:///etc/passwd", b"k"),
        ("http://127.0.0.1:{open}/", b"moved"),
        ("http://127.0.0.1:{open}/", b"k\r\nX-Other: 1"),
        ("http://127.0.0.1:{open}/", "schlüssel".encode()),
    ],
)
async def test_what_is_never_sent(make_transport: MakeTransport, url: str, key: bytes) -> None:
    async with serving(answer(200, b"{}")) as server:
        target = server_at(url.format(closed=servers.free_port(), open=server.port), key)
        outcome = await forwarder(make_transport()).predict(GRANT, target, remaining_ms=2_000)
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.code, outcome.slot_free) == (Verdict.NOT_SENT, "BACKEND_UNREACHABLE", True)
    assert server.connections == 0


async def test_without_a_key_there_is_no_authorization(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b"{}")) as server:
        await forwarder(make_transport()).predict(GRANT, server_at(server.url(), b""), remaining_ms=2_000)
    assert "authorization" not in server.requests[0].headers


async def test_an_unknown_failure_of_the_client_is_a_loss(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        async def request(self, *_: object, **__: object) -> Any:
            raise KeyError("surprise")

        async def aclose(self) -> None: ...

    outcome = await forwarder(Broken()).predict(GRANT, server_at("http://gpu/"), remaining_ms=2_000)
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.slot_free) == (Verdict.LOST, False)
    assert "surprise" in caplog.text
    assert "k-1" not in caplog.text


async def test_service_time_is_measured(make_transport: MakeTransport) -> None:
    clock = ManualClock()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock.advance(250)
        await answer(200, b"{}")(reader, writer)

    async with serving(slow) as server:
        outcome = await predict(make_transport, server.url(), clock=clock)
    assert isinstance(outcome, Outcome)
    assert outcome.service_ms == 250


@pytest.mark.parametrize(("status", "stopped"), [(200, True), (204, True), (404, False), (302, False), (500, False)])
async def test_cancel_and_probe(make_transport: MakeTransport, status: int, stopped: bool) -> None:
    async with serving(answer(status)) as server:
        target = server_at(server.url(), cancel=server.url("/cancel"), health=server.url("/health"))
        caller = forwarder(make_transport())
        assert await caller.cancel(target, "task_1", 3) is stopped
        assert await caller.probe(target) is stopped
    cancel, probe = server.requests
    assert (cancel.line, json.loads(cancel.body)) == ("POST /cancel HTTP/1.1", {"taskId": "task_1", "attempt": 3})
    assert (probe.line, probe.body) == ("GET /health HTTP/1.1", b"")
    assert cancel.headers["authorization"] == probe.headers["authorization"] == "Bearer k-1"


async def test_without_the_endpoints_nothing_is_asked(make_transport: MakeTransport) -> None:
    caller = forwarder(make_transport())
    assert await caller.cancel(server_at("http://gpu/"), "task_1", 3) is False
    assert await caller.probe(server_at("http://gpu/")) is False


async def test_a_silent_server_fails_its_probe(make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.forward.forwarder.SIDE_CALL_S", 0.05)
    async with serving(servers.silence) as server:
        assert await forwarder(make_transport()).probe(server_at("http://gpu/", health=server.url())) is False


async def test_the_key_goes_to_no_other_origin(make_transport: MakeTransport) -> None:
    async with serving(answer(200)) as other, serving(answer(200)) as server:
        target = server_at(server.url(), cancel=other.url("/cancel"), health=server.url("/", host="localhost"))
        caller = forwarder(make_transport(UrlPolicy(allow_loopback=True)))
        assert await caller.cancel(target, "task_1", 3)
        assert await caller.probe(target)
    assert "authorization" not in other.requests[0].headers
    assert "authorization" not in server.requests[0].headers
