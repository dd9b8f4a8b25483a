"""What the agent says over plain HTTP: it registers, and hands in lines and files."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote

import httpcore
import httpx

from dispatcher.agent.errors import Refused, Unreachable
from dispatcher.agent.options import Options
from dispatcher.agent.outputs import media_type
from dispatcher.agent.task import Key

CHUNK = 256 * 1024
ASKING = httpx.Timeout(5.0)  # for a refusal that does not wait for the file
PATIENCE = httpx.Timeout(30.0, connect=10.0)


class Identity:
    """Who the agent is to the gateway. The token is renewed over the socket."""

    def __init__(self, server_id: str, token: str) -> None:
        self.server_id = server_id
        self.token = token

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Api:
    """All methods raise Unreachable and Refused."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url.rstrip("/")
        self._http = client

    async def register(self, options: Options) -> Identity:
        """Under the same name it is the same worker, started anew: what it ran before is given to others."""
        key = hashlib.sha256(f"agent {options.name}".encode()).hexdigest()
        body: dict[str, Any] = {
            "name": options.name,
            "transport": "socket",
            "maxConcurrent": options.concurrency,
            "kinds": list(options.kinds),
            "capabilities": list(options.capabilities),
            "groups": list(options.groups),
        }
        headers = {"Authorization": f"Bearer {options.token}", "Idempotency-Key": key}
        told = await self._call("POST", "/api/servers", headers, json=body)
        return Identity(told["serverId"], told["serverToken"])

    async def append(self, me: Identity, key: Key, first: int, lines: list[dict[str, Any]]) -> None:
        body = {"attempt": key[1], "first": first, "lines": lines}
        await self._call("POST", f"/api/task/{key[0]}/logs", me.authorization, json=body)

    async def upload(self, me: Identity, key: Key, path: str, file: BinaryIO) -> None:
        """Hand in all of the file."""
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        headers = {
            **me.authorization,
            "X-Attempt": str(key[1]),
            "Content-Type": media_type(path),
            "Content-Length": str(size),
        }
        target = f"/api/task/{key[0]}/files/{quote(path)}"
        try:
            await self._call("PUT", target, headers, content=_chunks(file, size))
        except Unreachable:
            # a gateway that refuses the file does not read it, and whoever is still sending loses the answer
            if file.tell() > 0:
                waiting = {**headers, "Expect": "100-continue"}
                await self._call("PUT", target, waiting, content=_Withheld(), timeout=ASKING)
            raise

    async def _call(self, method: str, path: str, headers: Mapping[str, str], **body: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, self._url + path, headers=headers, **body)
            told = answer.json() if answer.content else {}
        except httpx.TransportError as error:
            raise Unreachable(f"{type(error).__name__}") from None
        except ValueError:
            told = {}
        if not answer.is_success:
            said = told if isinstance(told, dict) else {}
            message = said.get("details") or said.get("error") or "without a reason"
            raise Refused(answer.status_code, str(message)[:200], str(said.get("code", "")))
        if not isinstance(told, dict):
            raise Refused(502, "an answer that is no object")
        return told


def http_client() -> httpx.AsyncClient:
    """Without proxies of the environment: tokens go to the gateway alone."""
    return httpx.AsyncClient(timeout=PATIENCE, trust_env=False, follow_redirects=False)


async def _chunks(file: BinaryIO, size: int) -> AsyncIterator[bytes]:
    """No more than was announced, should somebody still write to it."""
    while chunk := await asyncio.to_thread(file.read, min(CHUNK, size)):
        size -= len(chunk)
        yield chunk


class _Withheld:
    """A body that is announced and not sent: to the HTTP client it looks as if the gateway had stopped reading, upon
    which it reads the answer."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        raise httpcore.WriteError
