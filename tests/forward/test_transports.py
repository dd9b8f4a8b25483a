"""The contract of both HTTP clients, against a server that breaks it in every way."""

import asyncio
import gzip

import pytest

from dispatcher.forward import UrlPolicy, transport_named
from dispatcher.forward.aiohttp_transport import AiohttpTransport
from dispatcher.forward.httpcore_transport import HttpcoreTransport
from dispatcher.forward.transport import BrokenAfterSending, NotSent, Reply, TimedOut, TooLarge, Transport
from tests.forward import servers
from tests.forward.conftest import LOOPBACK, MakeTransport
from tests.forward.servers import answer, serving

OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


async def call(
    transport: Transport, url: str, *, timeout_s: float = 5, max_bytes: int = 10_000, body: bytes = b"{}"
) -> Reply:
    return await transport.request("POST", url, {"X-Task-Id": "task_1"}, body, timeout_s=timeout_s, max_bytes=max_bytes)


async def test_a_request_arrives_as_given_and_the_answer_comes_back(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b'{"a":1}', "Retry-After: 3\r\n")) as server:
        reply = await call(make_transport(), server.url("/p/q?x=%2F&y"), body=b'{"n":1.50}')
    assert (reply.status, reply.body, reply.headers["retry-after"]) == (200, b'{"a":1}', "3")
    request = server.requests[0]
    assert request.line == "POST /p/q?x=%2F&y HTTP/1.1"
    assert request.body == b'{"n":1.50}'
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "content-length": "10",
        "x-task-id": "task_1",
    } | {k: v for k, v in request.headers.items() if k == "accept-encoding"}


async def test_connections_are_reused(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b"{}")) as server:
        transport = make_transport()
        for _ in range(3):
            await call(transport, server.url())
    assert (server.connections, len(server.requests)) == (1, 3)


async def test_a_connection_closed_while_idle_is_not_reused(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b"1", close=True), answer(200, b"2")) as server:
        transport = make_transport()
        await call(transport, server.url())
        await asyncio.sleep(0.05)  # the FIN is on its way
        assert (await call(transport, server.url())).body == b"2"


async def test_nobody_listens(make_transport: MakeTransport) -> None:
    with pytest.raises(NotSent):
        await call(make_transport(), f"http://127.0.0.1:{servers.free_port()}/")


async def test_a_name_without_an_address(make_transport: MakeTransport) -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(NotSent):
        await call(make_transport(UrlPolicy(resolver=unknown)), "http://gpu-1.example/")


async def test_a_slow_lookup_counts_as_not_sent(make_transport: MakeTransport) -> None:
    async def slow(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(NotSent):
        await call(make_transport(UrlPolicy(resolver=slow)), "http://gpu-1.example/", timeout_s=0.05)


@pytest.mark.parametrize(
    "behaviour",
    [
        servers.reset(),
        servers.reset(b"HTTP/1.1 200 OK\r\n"),
        servers.reset(OK_HEAD),
        servers.reset(OK_HEAD + b"1" * 50),
        servers.raw(b"", close=True),
        servers.raw(OK_HEAD + b"1" * 50, close=True),
        servers.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", close=True),
        servers.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n12345\r\n", close=True),
        servers.raw(b"SSH-2.0-OpenSSH_9.2\r\n", close=True),
        servers.raw(b"HTTP/1.1 200 OK\r\nX: " + b"1" * 200_000 + b"\r\n\r\n", close=True),
    ],
    ids=[
        "rst",
        "rst-in-head",
        "rst-after-head",
        "rst-in-body",
        "fin",
        "fin-in-body",
        "fin-in-chunks",
        "bad-chunk",
        "no-http",
        "huge-head",
    ],
)
async def test_broken_after_sending(make_transport: MakeTransport, behaviour: servers.Behaviour) -> None:
    async with serving(behaviour) as server:
        with pytest.raises(BrokenAfterSending):
            await call(make_transport(), server.url())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "behaviour",
    [servers.silence, servers.drip(b"HTTP/1.1 200 OK\r\n"), servers.drip(OK_HEAD + b"1" * 50, pause_s=0.001)],
    ids=["silence", "slow-head", "slow-body"],
)
async def test_no_whole_answer_in_time(make_transport: MakeTransport, behaviour: servers.Behaviour) -> None:
    async with serving(behaviour) as server:
        with pytest.raises(TimedOut):
            await call(make_transport(), server.url(), timeout_s=0.2)


async def test_a_cancelled_call_closes_its_connection(make_transport: MakeTransport) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def until_gone(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        arrived.set()
        await reader.read()
        gone.set()

    async with serving(until_gone) as server:
        running = asyncio.create_task(call(make_transport(), server.url()))
        await asyncio.wait_for(arrived.wait(), 2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.wait_for(gone.wait(), 2)


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(200, b"1" * 10_001),
        servers.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n1"),
        servers.endless,
        servers.raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"1" * 10_001, close=True),
    ],
    ids=["one-too-many", "announced", "endless", "until-close"],
)
async def test_too_large(make_transport: MakeTransport, behaviour: servers.Behaviour) -> None:
    async with serving(behaviour) as server:
        with pytest.raises(TooLarge) as caught:
            await call(make_transport(), server.url())
    assert caught.value.status == 200


async def test_the_largest_answer_allowed(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b"1" * 10_000)) as server:
        assert len((await call(make_transport(), server.url())).body) == 10_000


async def test_nothing_is_inflated(make_transport: MakeTransport) -> None:
    bomb = gzip.compress(b"0" * 5_000_000)
    assert len(bomb) < 10_000
    async with serving(answer(200, bomb, "Content-Encoding: gzip\r\n")) as server:
        assert (await call(make_transport(), server.url())).body == bomb


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(make_transport: MakeTransport, status: int) -> None:
    async with serving(answer(200, b"{}")) as canary:
        location = f"Location: {canary.url()}\r\nRefresh: 0; url={canary.url()}\r\n"
        async with serving(answer(status, b"", location)) as server:
            assert (await call(make_transport(), server.url())).status == status
    assert canary.connections == 0


async def test_no_cookie_is_sent_back(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b"{}", "Set-Cookie: a=b; Path=/\r\n")) as server:
        transport = make_transport()
        await call(transport, server.url())
        await call(transport, server.url())
    assert all("cookie" not in request.headers for request in server.requests)


async def test_no_proxy_of_the_environment(make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answer(200, b'"proxy"')) as proxy, serving(answer(200, b'"direct"')) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        assert (await call(make_transport(), server.url())).body == b'"direct"'


async def test_more_calls_than_connections_wait(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b"{}")) as server:
        transport = make_transport(max_connections=2)
        replies = await asyncio.gather(*(call(transport, server.url()) for _ in range(10)))
    assert len(replies) == 10
    assert server.connections <= 2


def test_clients_by_name() -> None:
    assert isinstance(transport_named("auto", LOOPBACK), AiohttpTransport)
    assert isinstance(transport_named("httpx", LOOPBACK), HttpcoreTransport)
    with pytest.raises(ValueError, match="curl"):
        transport_named("curl", LOOPBACK)
