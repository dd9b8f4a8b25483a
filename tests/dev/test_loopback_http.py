"""The demo's small HTTP client, against a server that notes what it is sent."""

import asyncio

import pytest

from dispatcher.dev.loopback_http import send_json


async def _serve_once(answer: bytes, got: list[bytes]) -> "asyncio.Server":
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b'{"a": 1}'))
        writer.write(answer)
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


async def test_it_sends_json_and_answers_the_status() -> None:
    got: list[bytes] = []
    async with await _serve_once(b"HTTP/1.1 409 Conflict\r\n\r\n", got) as server:
        port = server.sockets[0].getsockname()[1]
        assert await send_json("PUT", f"http://127.0.0.1:{port}/a", {"X-B": "c"}, {"a": 1}) == 409
    request = got[0].decode().split("\r\n")
    assert request[0] == "PUT /a HTTP/1.1"
    assert {"X-B: c", "Content-Length: 8", "Connection: close"} <= set(request)


async def test_no_answer_is_an_error() -> None:
    async with await _serve_once(b"", []) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionResetError):
            await send_json("POST", f"http://127.0.0.1:{port}/a", {}, {"a": 1})
