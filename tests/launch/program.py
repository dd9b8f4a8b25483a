"""Run as a program: a small app under the launcher. Arguments: engine, drain delay, drain timeout, what drain does."""

import asyncio
import sys

from dispatcher.launch import Listen, Options, launch
from dispatcher.launch.connections import Receive, Scope, Send
from dispatcher.launch.leave import leave


class Gateway:
    """Says what it is told, on stdout; `drain` returns at once, or hangs."""

    def __init__(self, drain: str) -> None:
        self._drain = drain
        self._waits = asyncio.Event()

    def begin_drain(self) -> None:
        print("begin_drain", flush=True)

    async def drain(self, timeout_s: float) -> None:
        print(f"drain {timeout_s}", flush=True)
        if self._drain == "hangs":
            await asyncio.Event().wait()

    def end_waits(self) -> None:
        self._waits.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                await send({"type": "websocket.send", "text": "again"})
            return
        slow = scope["path"] == "/slow"
        if slow:
            print("slow", flush=True)
            await asyncio.sleep(0.5)
        if scope["path"] == "/waits":
            print("waits", flush=True)
            await self._waits.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        stream = scope["path"] == "/stream"
        await send({"type": "http.response.body", "body": b"hello\n", "more_body": stream})
        if stream:
            await asyncio.Event().wait()


async def main(engine: str, delay: str, timeout: str, drain: str) -> None:
    gateway = Gateway(drain)
    options = Options(engine, drain_delay_s=float(delay), drain_timeout_s=float(timeout), ping_interval_s=0.1)

    async def ready(addresses: list[tuple[str, int]]) -> None:
        print(*(port for _, port in addresses), flush=True)

    await launch([Listen(gateway, port=0), Listen(gateway, port=0)], gateway, options, on_ready=ready)
    print("stopped", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    leave(0)
