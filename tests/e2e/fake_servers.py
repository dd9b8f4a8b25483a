"""GPU servers for tests, as one process: they answer as they are told and remember every call.

    python fake_servers.py 4      starts four, prints their ports as one JSON line, ends with its standard input

POST /predict   the work, by `settings`     GET /health    always 200
POST /settings  {latency, statuses, retry_after, accept}: statuses are answered in turn, the last one from then on
POST /forget    what was remembered          GET /calls     what was remembered
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Started:
    """One predict call. `open` counts the calls that this server had then, itself included; times are epoch s."""

    task: str
    attempt: int
    type: str
    at: float
    open: int
    status: int = 0  # 0: still at work, or the gateway went away
    ended: float = 0.0


@dataclass
class Settings:
    latency: float = 0.0
    statuses: list[int] = field(default_factory=lambda: [200])
    retry_after: int = 0
    accept: bool = False


class FakeServer:
    def __init__(self) -> None:
        self._reports: set[asyncio.Task[None]] = set()
        self.forget()

    def forget(self) -> None:
        self.settings = Settings()
        self.calls: list[Started] = []
        self.open = self.high = 0

    async def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        match path:
            case "/predict":
                return await self._predict(headers, json.loads(body))
            case "/settings":
                self.settings = Settings(**json.loads(body))
            case "/forget":
                self.forget()
            case "/calls":
                return 200, {"calls": [asdict(call) for call in self.calls], "open": self.open, "high": self.high}
        return 200, {}

    async def _predict(self, headers: dict[str, str], task: dict[str, Any]) -> tuple[int, Any]:
        settings = self.settings
        status = settings.statuses.pop(0) if len(settings.statuses) > 1 else settings.statuses[0]
        self.open += 1
        self.high = max(self.high, self.open)
        call = Started(task["taskId"], int(headers["x-attempt"]), task["type"], time.time(), self.open)
        self.calls.append(call)
        if settings.accept:
            report = asyncio.create_task(self._report(call, headers, settings.latency))
            self._reports.add(report)
            report.add_done_callback(self._reports.discard)
            return 202, {}
        try:
            await asyncio.sleep(settings.latency)
            call.status, call.ended = status, time.time()
        finally:
            self.open -= 1
        return status, {"task": call.task, "attempt": call.attempt}

    async def _report(self, call: Started, headers: dict[str, str], latency: float) -> None:
        await asyncio.sleep(latency)
        call.status, call.ended = 202, time.time()
        self.open -= 1
        url = urlsplit(headers["x-callback-url"])
        body = json.dumps({"status": "COMPLETED", "result": {"task": call.task, "attempt": call.attempt}}).encode()
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        head = f"PUT {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nX-Callback-Token: {headers['x-callback-token']}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await reader.read()
        writer.close()


class Connection(asyncio.Protocol):
    """Just enough of HTTP/1.1 for requests with a Content-Length, one at a time."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._buffer = b""
        self._work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._work is not None:
            self._work.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def _next(self) -> None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end or self._work is not None:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) >= length:
            self._buffer = rest[length:]
            self._work = asyncio.ensure_future(self._answer(first.split()[1], headers, rest[:length]))

    async def _answer(self, path: str, headers: dict[str, str], body: bytes) -> None:
        retry_after = self._server.settings.retry_after
        status, answer = await self._server.answer(path, headers, body)
        text = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        head += f"Retry-After: {retry_after}\r\n\r\n" if retry_after and status >= 400 else "\r\n"
        self._transport.write(head.encode() + text)
        self._work = None
        self._next()


async def main(count: int) -> None:
    loop = asyncio.get_running_loop()
    ports = []
    for fake in [FakeServer() for _ in range(count)]:
        listening = await loop.create_server(lambda fake=fake: Connection(fake), "127.0.0.1", 0)  # type: ignore[misc]
        ports.append(listening.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
