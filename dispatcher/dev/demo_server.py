"""A pretended GPU server that speaks the real predict protocol: the work is a wait, all else is what a server does."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from dispatcher.dev.loopback_http import send_json

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Demo:
    """What a demo server is like. `reports`: it answers 202 and brings the result by PUT."""

    id: str
    name: str
    work_s: float
    max_concurrent: int
    weight: int
    reports: bool = False


FLEET = (
    Demo("demo-gpu-1", "demo-gpu-1 (fast)", 0.05, max_concurrent=8, weight=3),
    Demo("demo-gpu-2", "demo-gpu-2 (steady)", 0.15, max_concurrent=4, weight=2),
    Demo("demo-gpu-3", "demo-gpu-3 (slow, answers 202)", 0.6, max_concurrent=2, weight=1, reports=True),
)


class DemoServer:
    """An ASGI app with /predict, /cancel and /health."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.api_key = secrets.token_urlsafe(24)
        self.boot_id = secrets.token_hex(8)
        self._jobs: dict[str, asyncio.Task[None]] = {}  # accepted with 202
        self._waiting = 0  # answered with 200

    @property
    def active(self) -> int:
        return self._waiting + len(self._jobs)

    @property
    def running(self) -> list[str]:
        """The accepted tasks: a heartbeat lists them."""
        return list(self._jobs)

    def metrics(self) -> dict[str, float]:
        """Figures that follow the load, as a real server's would."""
        load = self.active / self.demo.max_concurrent
        return {"cpu": round(5 + 30 * load), "memory": round(20 + 40 * load), "gpu": round(90 * load)}

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _read(receive)
        status, answer = await self._answer(scope["path"], headers, body)
        headers_out = [(b"content-type", b"application/json"), *([(b"retry-after", b"1")] if status == 429 else [])]
        await send({"type": "http.response.start", "status": status, "headers": headers_out})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    async def _answer(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if path == "/health":
            return 200, {"status": "healthy"}
        if not secrets.compare_digest(headers.get("authorization", ""), f"Bearer {self.api_key}"):
            return 401, {"error": "wrong API key"}
        call = json.loads(body)
        if path == "/cancel":
            job = self._jobs.get(call["taskId"])
            return (200, {"cancelled": job.cancel()}) if job else (404, {"error": "not running here"})
        if path != "/predict":
            return 404, {"error": "no such path"}
        if self.active >= self.demo.max_concurrent:
            return 429, {"error": "busy"}
        if self.demo.reports:
            job = asyncio.create_task(self._work_and_report(call, headers))
            self._jobs[call["taskId"]] = job
            job.add_done_callback(lambda _: self._jobs.pop(call["taskId"], None))
            return 202, {"accepted": call["taskId"]}
        self._waiting += 1
        try:
            return 200, await self._work(call)
        finally:
            self._waiting -= 1

    async def _work(self, call: Mapping[str, Any]) -> dict[str, Any]:
        started = time.monotonic()
        await asyncio.sleep(self.demo.work_s)
        took_ms = round((time.monotonic() - started) * 1000)
        return {"server": self.demo.name, "echo": call["payload"], "tookMs": took_ms}

    async def _work_and_report(self, call: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """The protocol of long work: progress on the way, then the result, by the callback of this attempt."""
        callback = {"X-Callback-Token": headers["x-callback-token"], "X-Attempt": headers["x-attempt"]}
        url = headers["x-callback-url"]
        with contextlib.suppress(OSError, TimeoutError):  # the gateway is gone: it will find the task lost
            await send_json("PUT", url, callback, {"status": "PROCESSING", "progress": 50})
            result = await self._work(call)
            await send_json("PUT", url, callback, {"status": "COMPLETED", "result": result})

    async def stop(self) -> None:
        """Give up what was accepted."""
        for job in list(self._jobs.values()):
            job.cancel()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)


async def _read(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)
