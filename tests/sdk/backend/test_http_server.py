"""The small HTTP server, over real sockets and byte by byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dispatcher_sdk.backend.http_server import HttpRequest, HttpResponse, HttpServer


async def echo(request: HttpRequest) -> HttpResponse:
    if request.path == "/broken":
        raise RuntimeError("confidential")
    return HttpResponse(200, request.body or b'{"path":"%s"}' % request.path.encode(), {"X-Seen": request.method})


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, HttpServer]]:
    server = HttpServer(options.pop("handler", echo), **options)
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer, server
    finally:
        writer.close()
        await server.close(grace=1.0)


def post(body: bytes, path: str = "/x", *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def response(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length: ")[1].split("\r\n")[0])
    return int(head.split(" ")[1]), head, await reader.readexactly(length)


async def test_one_connection_serves_many_requests() -> None:
    async with connected() as (reader, writer, _):
        for body in (b'{"a":1}', b'{"b":2}'):
            writer.write(post(body))
            status, head, got = await response(reader)
            assert (status, got) == (200, body)
            assert "connection: close" not in head


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with connected() as (reader, writer, _):
        writer.write(post(b"1") + post(b"2"))
        assert (await response(reader))[2] == b"1"
        assert (await response(reader))[2] == b"2"


async def test_the_query_is_no_part_of_the_path() -> None:
    async with connected() as (reader, writer, _):
        writer.write(b"GET /x?y=1 HTTP/1.1\r\nHost: test\r\n\r\n")
        assert (await response(reader))[2] == b'{"path":"/x"}'


async def test_a_body_above_the_limit_is_refused_before_it_is_read() -> None:
    async with connected(max_body=10) as (reader, writer, _):
        writer.write(post(b"x" * 11 + b"y" * 100_000))
        status, head, _ = await response(reader)
        assert status == 413
        assert "connection: close" in head
    async with connected(max_body=10) as (reader, writer, _):
        writer.write(post(b"x" * 10))
        assert (await response(reader))[0] == 200


async def test_a_header_above_the_limit_is_refused() -> None:
    async with connected() as (reader, writer, _):
        writer.write(b"GET / HTTP/1.1\r\nHost: test\r\nX-Big: " + b"x" * 100_000)
        assert (await response(reader))[0] == 431


async def test_garbage_is_answered_400_and_closed() -> None:
    async with connected() as (reader, writer, _):
        writer.write(b"\x16\x03\x01 not HTTP\r\n\r\n")
        assert (await response(reader))[0] == 400
        assert await reader.read() == b""


async def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    async with connected() as (reader, writer, _):
        writer.write(post(b"", "/x", "Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 2"))
        assert b"100" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"{}")
        assert (await response(reader))[0] == 200


async def test_a_failing_handler_is_a_500_without_its_words_and_the_connection_lives_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connected() as (reader, writer, _):
        writer.write(post(b"", "/broken"))
        status, _, body = await response(reader)
        assert status == 500
        assert b"confidential" not in body
        assert "confidential" in caplog.text
        writer.write(post(b"ok"))
        assert (await response(reader))[0] == 200


async def test_a_silent_connection_is_closed() -> None:
    async with connected(read_timeout=0.01) as (reader, _, _server):
        assert await reader.read() == b""


async def test_connections_above_the_limit_are_closed() -> None:
    async with connected(max_connections=1) as (reader, writer, server):
        writer.write(post(b"1"))
        assert (await response(reader))[0] == 200
        assert server._server is not None
        host, port = server._server.sockets[0].getsockname()
        other, other_writer = await asyncio.open_connection(host, port)
        assert await other.read() == b""
        other_writer.close()


async def test_closing_finishes_the_answer_under_way_and_drops_idle_connections() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(request: HttpRequest) -> HttpResponse:
        entered.set()
        await release.wait()
        return HttpResponse(200, b'"done"')

    async with connected(handler=slow) as (reader, writer, server):
        assert server._server is not None
        idle, idle_writer = await asyncio.open_connection(*server._server.sockets[0].getsockname())
        writer.write(post(b""))
        await entered.wait()
        closing = asyncio.create_task(server.close(grace=10.0))
        assert await idle.read() == b""
        release.set()
        status, head, body = await response(reader)
        assert (status, body) == (200, b'"done"')
        assert "connection: close" in head
        await closing
        idle_writer.close()
