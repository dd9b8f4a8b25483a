"""One HTTP request to this machine: all that the demo needs, and no reason to load a client library."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 60.0


async def send_json(method: str, url: str, headers: Mapping[str, str], body: Any) -> int:
    """Send `body` as JSON on a connection of its own; answers the status. Raises OSError, TimeoutError."""
    target = urlsplit(url)
    payload = json.dumps(body).encode()
    lines = [
        f"{method} {target.path} HTTP/1.1",
        f"Host: {target.netloc}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(payload)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_connection(target.hostname, target.port or 80)
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode() + payload)
            await writer.drain()
            status = (await reader.readline()).split()
        finally:
            writer.close()
    if len(status) < 2:
        raise ConnectionResetError("no answer")
    return int(status[1])
