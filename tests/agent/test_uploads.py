"""Files that the gateway refuses, and a gateway that is away."""

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, cast

import httpx
import pytest

from dispatcher.agent import api as module
from dispatcher.agent.api import Api, Identity, http_client
from dispatcher.agent.errors import Refused, Unreachable
from dispatcher.agent.outgoing import Outgoing
from dispatcher.agent.runners.process import ProcessOptions, ProcessRunner
from dispatcher.agent.task import Key, Task
from dispatcher.agent.work import UPLOADS, Work
from dispatcher.sandbox.user import unprivileged

ME = Identity("server_1", "token")
FULL = Refused(429, "There is no room for this file", "QUOTA_EXCEEDED")
LARGE = Refused(413, "The file is larger than a file may be", "PAYLOAD_TOO_LARGE")


class Gateway:
    """`refusals` by path, of every try."""

    def __init__(self, **refusals: Exception) -> None:
        self.refusals = refusals
        self.tries: list[str] = []
        self.lines: list[str] = []
        self.pauses: list[float] = []

    async def append(self, me: Identity, key: Key, first: int, lines: list[dict[str, Any]]) -> None:
        self.lines.extend(line["text"] for line in lines)

    async def upload(self, me: Identity, key: Key, path: str, file: BinaryIO) -> None:
        self.tries.append(path)
        if path in self.refusals:
            raise self.refusals[path]

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


async def ended(gateway: Gateway, then: str = "") -> dict[str, Any]:
    """What is told of a task that leaves the files a, b and c."""
    told: list[str] = []

    async def send(text: str) -> None:
        told.append(text)

    outgoing = Outgoing()
    await outgoing.connected(send)
    work = Work(
        {"process": ProcessRunner(ProcessOptions(unprivileged()))}, cast("Api", gateway), outgoing,
        rng=random.Random(1), sleep=gateway.sleep,
    )  # fmt: skip
    command = ["sh", "-c", f"cd $OUTPUT_DIR; touch a b c; {then}"]
    work.begin(Task("t1", 1, "x", "process", {"command": command}), ME)
    async with asyncio.timeout(10):
        while len(work):
            await work.freed.wait()
    message: dict[str, Any] = json.loads(told[-1])
    return message


@pytest.mark.parametrize("refusal", [FULL, LARGE])
async def test_a_file_that_is_refused_ends_the_task_and_holds_up_no_other_one(refusal: Refused) -> None:
    gateway = Gateway(a=refusal, b=LARGE)
    end = await ended(gateway)
    reason = f"a was not taken: {refusal}"
    assert (end["status"], end["error"], end["retryable"]) == ("FAILED", reason, False)
    assert gateway.tries == ["a", "b", "c"]
    assert gateway.lines == [f"[{reason}]", f"[b was not taken: {LARGE}]"]


async def test_a_command_that_failed_says_so_whatever_became_of_its_files() -> None:
    assert (await ended(Gateway(a=FULL), "exit 3"))["error"] == "the command exited with 3"


@pytest.mark.parametrize("reason", [Unreachable("ConnectError"), Refused(429, "Too many requests", "RATE_LIMITED")])
async def test_what_may_pass_is_tried_again_and_the_reason_is_told(reason: Exception) -> None:
    gateway = Gateway(b=reason)
    end = await ended(gateway)
    assert (end["error"], end["retryable"]) == (f"b could not be uploaded: {reason}", True)
    assert gateway.tries == ["a", *["b"] * UPLOADS]
    assert gateway.lines == [f"[{end['error']}]"]


async def test_a_refusal_stays_the_reason_when_the_gateway_goes_away() -> None:
    end = await ended(Gateway(a=FULL, b=Unreachable("ConnectError")))
    assert (end["error"], end["retryable"]) == (f"a was not taken: {FULL}", False)


async def test_an_attempt_that_is_over_sends_nothing_more() -> None:
    gateway = Gateway(a=Refused(409, "This attempt no longer has the task", "STALE_ATTEMPT"))
    assert (await ended(gateway))["retryable"] is False
    assert gateway.tries == ["a"]


@asynccontextmanager
async def breaking_off(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that breaks off whatever comes with its body, and answers what waits to be asked for it."""
    heads: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if b"expect: 100-continue" in heads[-1].lower():
            writer.write(answer)
            if answer.startswith(b"HTTP/1.1 100"):
                await reader.read()
            writer.close()
        else:
            await reader.readexactly(1)
            writer.transport.abort()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname()), heads


async def test_a_refusal_that_the_sending_has_swallowed_is_asked_for() -> None:
    body = b'{"error": "Payload too large", "details": "too long", "code": "PAYLOAD_TOO_LARGE"}'
    answer = b"HTTP/1.1 413 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
    async with breaking_off(answer) as (url, heads), http_client() as client:
        with pytest.raises(Refused, match=r"^413 too long$"):
            await Api(url, client).upload(ME, ("t1", 1), "a", io.BytesIO(bytes(1 << 22)))
    assert [b"content-length: 4194304" in head.lower() for head in heads] == [True, True]


async def test_a_connection_that_breaks_for_another_reason_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASKING", httpx.Timeout(0.1))
    async with breaking_off(b"HTTP/1.1 100 Continue\r\n\r\n") as (url, heads), http_client() as client:
        with pytest.raises(Unreachable):
            await Api(url, client).upload(ME, ("t1", 1), "a", io.BytesIO(bytes(1 << 22)))
    assert len(heads) == 2
