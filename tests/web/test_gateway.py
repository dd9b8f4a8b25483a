"""Request ids, the access log, mounts and the life of the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.principal import Owner, Principal
from dispatcher.web.answer import json_response
from dispatcher.web.authentication import sign_in
from dispatcher.web.gateway import gateway
from dispatcher.web.request_id import request_id_of


class Log:
    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(fields)


def _named(name: str) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sign_in(scope, Principal(Owner("t", "eve\nadmin"), frozenset()))
        await json_response(f'"{name} {request_id_of(scope)}"'.encode())(scope, receive, send)

    return app


async def _get(path: str, *ids: str, log: Log | None = None) -> httpx.Response:
    app = gateway({"": _named("root"), "/farm": _named("farm")}, clock=ManualClock(), log=log or Log())
    headers = [("X-Request-Id", value) for value in ids]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://g") as client:
        return await client.get(path, headers=headers)


async def test_a_sane_request_id_is_kept_and_echoed() -> None:
    answer = await _get("/x", "abc-1._")
    assert answer.headers["X-Request-Id"] == "abc-1._"
    assert answer.json() == "root abc-1._"


@pytest.mark.parametrize("ids", [[], ["a b"], ["a" * 129], ["a", "b"], ['"'], [""]])
async def test_any_other_is_replaced(ids: list[str]) -> None:
    made = (await _get("/x", *ids)).headers["X-Request-Id"]
    assert made.startswith("req_")
    assert made != (await _get("/x")).headers["X-Request-Id"]


async def test_mounts_by_prefix() -> None:
    assert (await _get("/farm/x")).json().startswith("farm")
    assert (await _get("/farm")).json().startswith("farm")
    assert (await _get("/farmer")).json().startswith("root")


async def test_one_line_per_request_without_secrets_or_line_breaks() -> None:
    log = Log()
    await _get("/a%0d%0aGET /b%1b[31m?token=secret", "id1", log=log)
    assert len(log.lines) == 1
    line = log.lines[0]
    assert (line["method"], line["status"], line["request_id"]) == ("GET", 200, "id1")
    assert (line["path"], line["caller"]) == ("/a??GET /b?[31m", "t/eve?admin")
    assert "secret" not in str(line)


async def test_the_log_tells_of_a_crash_too() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    log = Log()
    app = gateway({"": broken}, clock=ManualClock(), log=log)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://g") as client:
        with pytest.raises(RuntimeError):
            await client.get("/")
    assert log.lines[0]["status"] == 0


async def test_the_lifespan_runs_around_the_process() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def life(app: object) -> AsyncIterator[None]:
        seen.append("up")
        yield
        seen.append("down")

    inbound: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    outbound: list[str] = []

    async def receive() -> Message:
        return inbound.pop(0)

    async def send(message: Message) -> None:
        outbound.append(message["type"])

    await gateway({}, clock=ManualClock(), lifespan=life, log=Log())({"type": "lifespan"}, receive, send)
    assert (seen, outbound) == (["up", "down"], ["lifespan.startup.complete", "lifespan.shutdown.complete"])
