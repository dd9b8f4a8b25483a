"""What the agent says over plain HTTP."""

import io
from collections.abc import Callable

import httpx
import pytest

from dispatcher.agent.api import Api, Identity
from dispatcher.agent.errors import Refused, Unreachable
from dispatcher.agent.options import Options

ME = Identity("server_1", "server-token")
Handler = Callable[[httpx.Request], httpx.Response]


def api(handler: Handler) -> Api:
    return Api("http://gateway/", httpx.AsyncClient(transport=httpx.MockTransport(handler)))


async def test_the_same_name_registers_under_the_same_key_and_shows_no_token() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"serverId": "server_1", "serverToken": "t"})

    for name in ("box", "box", "other"):
        options = Options("http://gateway", name, "admin-token")
        me = await api(handler).register(options)
        assert (me.server_id, me.token, "admin-token" in repr(options)) == ("server_1", "t", False)
    first, again, other = (request.headers["Idempotency-Key"] for request in seen)
    assert first == again != other
    assert seen[0].headers["Authorization"] == "Bearer admin-token"


async def test_lines_and_files_name_their_attempt() -> None:
    seen: list[httpx.Request] = []

    async def handler(request: httpx.Request) -> httpx.Response:
        await request.aread()
        seen.append(request)
        return httpx.Response(200, json={})

    here = Api("http://gateway", httpx.AsyncClient(transport=httpx.MockTransport(handler)))
    await here.append(ME, ("t1", 2), 5, [{"text": "a"}])
    await here.upload(ME, ("t1", 2), "d/a b?.txt", io.BytesIO(b"x" * 300_000))
    lines, file = seen
    assert (lines.url.path, lines.content) == ("/api/task/t1/logs", b'{"attempt":2,"first":5,"lines":[{"text":"a"}]}')
    assert (file.url.raw_path, len(file.content)) == (b"/api/task/t1/files/d/a%20b%3F.txt", 300_000)
    assert (file.headers["X-Attempt"], file.headers["Content-Type"]) == ("2", "text/plain")
    assert file.headers["Authorization"] == "Bearer server-token"


@pytest.mark.parametrize(
    ("status", "code", "passing"),
    [
        (503, "UNAVAILABLE", True), (429, "RATE_LIMITED", True), (429, "", True), (404, "NOT_FOUND", False),
        (429, "QUOTA_EXCEEDED", False), (413, "PAYLOAD_TOO_LARGE", False),
    ],
)  # fmt: skip
async def test_refusals_are_passing_or_not(status: int, code: str, passing: bool) -> None:
    told = {"error": "Title", "details": "no", "code": code}
    with pytest.raises(Refused, match=f"^{status} no$") as refused:
        await api(lambda request: httpx.Response(status, json=told)).append(ME, ("t1", 1), 1, [])
    assert (refused.value.status, refused.value.passing) == (status, passing)


async def test_no_answer_and_none_that_is_one() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Unreachable):
        await api(away).append(ME, ("t1", 1), 1, [])
    with pytest.raises(Refused):
        await api(lambda request: httpx.Response(200, json=[])).register(Options("http://gateway", "box", "t"))
