"""Logs over HTTP: lines handed in, read by pages, followed as server-sent events."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from dispatcher.dialects.native.options import NativeOptions
from dispatcher.domain.log import LINE_BYTES
from tests.dialects.native.world import A, World


def lines(*texts: str, **more: Any) -> list[dict[str, Any]]:
    return [{"text": text, **more} for text in texts]


async def running(world: World) -> str:
    await world.register()
    return await world.create()


async def say(world: World, task_id: str, first: int, *texts: str, **more: Any) -> httpx.Response:
    body = {"first": first, "lines": lines(*texts), **more}
    return await world.call("POST", f"/api/task/{task_id}/logs", world.backend.callback(task_id), body)


def events(text: str) -> list[tuple[str, str, Any]]:
    """(id, name, data) of each event."""
    found = []
    for block in text.split("\n\n")[:-1]:
        if not block.startswith(":"):
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            found.append((fields.get("id", ""), fields.get("event", ""), json.loads(fields["data"])))
    return found


class Connection:
    """A request whose answer is read while it is sent."""

    def __init__(
        self,
        world: World,
        path: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        *,
        stuck_at: int | None = None,  # this message, counted from 1, is never taken
    ) -> None:
        given = {"authorization": f"Bearer {A}", **(headers or {})}
        where, _, query = path.partition("?")
        self._scope = {
            "type": "http", "method": method, "path": where, "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }  # fmt: skip
        self._stuck_at = stuck_at
        self.sent = 0
        self.status = 0
        self.text = ""
        self.over = False
        self._gone, self._came = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(world.app(self._scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent += 1
        if self.sent == self._stuck_at:
            await asyncio.Event().wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.text += message.get("body", b"").decode()
            self.over = not message.get("more_body", False)
            self._came.set()

    async def until(self, part: str) -> None:
        async with asyncio.timeout(5):
            while part not in self.text:
                self._came.clear()
                await self._came.wait()

    async def leave(self) -> None:
        self._gone.set()
        await self.task


async def test_lines_are_handed_in_and_read(world: World) -> None:
    task_id = await running(world)
    said = await say(world, task_id, 1, "a", "ä\n", attempt=1)
    assert (said.status_code, said.json()) == (200, {"taskId": task_id, "next": 3})
    again = await say(world, task_id, 2, "ä\n", "x" * 20_000)
    assert again.json()["next"] == 4
    server = world.tokens.server(world.backend_of(task_id))
    more = {"first": 4, "lines": [{"text": "no", "stream": "stderr", "at": 7}]}
    assert (await world.call("POST", f"/api/task/{task_id}/logs", server, more)).json()["next"] == 5
    read = await world.call("GET", f"/api/task/{task_id}/logs?after=1&limit=3")
    now = world.clock.now_ms()
    assert read.json() == {
        "taskId": task_id,
        "lines": [
            {"seq": 2, "at": now, "attempt": 1, "stream": "stdout", "text": "ä\n"},
            {"seq": 3, "at": now, "attempt": 1, "stream": "stdout", "text": "x" * LINE_BYTES},
            {"seq": 4, "at": 7, "attempt": 1, "stream": "stderr", "text": "no"},
        ],
        "after": 4,
        "ended": False,
    }
    await world.report(task_id, status="COMPLETED")
    end = await world.call("GET", f"/api/task/{task_id}/logs?after=999")
    assert (end.json()["lines"], end.json()["after"], end.json()["ended"]) == ([], 4, True)


async def test_an_attempt_that_is_over_says_nothing(world: World) -> None:
    task_id = await running(world)
    assert (await say(world, task_id, 1, "a", attempt=2)).json()["code"] == "STALE_ATTEMPT"
    await world.report(task_id, status="COMPLETED")
    late = await say(world, task_id, 1, "a")
    assert (late.status_code, late.json()["code"]) == (409, "COMPLETED")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"first": 1}, {"first": 1, "lines": []}, {"first": 0, "lines": lines("a")}, {"first": 1, "lines": ["a"]},
        {"first": 1, "lines": lines("a") * 1001}, {"first": 1, "lines": lines("a", stream="log")},
        {"first": 1, "lines": lines("a", at=-1)}, {"first": True, "lines": lines("a")}, {"first": 1, "lines": [{}]},
    ],
)  # fmt: skip
async def test_bad_batches(world: World, body: Any) -> None:
    task_id = await running(world)
    answer = await world.call("POST", f"/api/task/{task_id}/logs", world.backend.callback(task_id), body)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert (await world.call("GET", f"/api/task/{task_id}/logs")).json()["lines"] == []


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=1001", "after=1&after=2"])
async def test_bad_places(world: World, query: str) -> None:
    task_id = await running(world)
    assert (await world.call("GET", f"/api/task/{task_id}/logs?{query}")).status_code == 400


async def test_replay_then_live_then_the_end(world: World) -> None:
    task_id = await running(world)
    await say(world, task_id, 1, "a", "b")
    following = Connection(world, f"/api/task/{task_id}/logs/stream")
    await following.until('"b"')
    await say(world, task_id, 3, "c")
    await following.until('"c"')
    await say(world, task_id, 4, "d")
    await world.report(task_id, status="FAILED", error="x")
    await following.task
    assert following.over
    assert [(seq, name) for seq, name, _ in events(following.text)] == [(n, "") for n in "1234"] + [("", "end")]
    assert events(following.text)[-1][2] == {"status": "FAILED"}
    again = await world.call("GET", f"/api/task/{task_id}/logs/stream?after=1", headers={"Last-Event-ID": "3"})
    assert again.headers["Content-Type"] == "text/event-stream"
    assert [data.get("text") for _, _, data in events(again.text)] == ["d", None]
    bad = await world.call("GET", f"/api/task/{task_id}/logs/stream", headers={"Last-Event-ID": "x"})
    assert bad.status_code == 400
    head = await world.call("HEAD", f"/api/task/{task_id}/logs/stream")
    assert (head.status_code, head.content) == (200, b"")


async def test_a_client_that_leaves_is_noticed(world: World) -> None:
    task_id = await running(world)
    following = Connection(world, f"/api/task/{task_id}/logs/stream")
    await say(world, task_id, 1, "a")
    await following.until('"a"')
    await world.settle()
    assert len(world.tails) == 1
    await following.leave()
    assert len(world.tails) == 0
    assert not following.over


async def test_a_client_that_takes_nothing_is_let_go() -> None:
    world = World(options=NativeOptions(stream_stall_ms=1, streams=1))
    task_id = await running(world)
    path = f"/api/task/{task_id}/logs/stream"
    await say(world, task_id, 1, *map(str, range(1_000)))
    following = Connection(world, path, stuck_at=4)
    async with asyncio.timeout(5):
        await following.task
    *taken, (_, name, data) = events(following.text)
    assert [int(seq) for seq, _, _ in taken] == list(range(1, 201)), "two portions"
    assert (name, data["code"]) == ("failure", "TOO_SLOW")
    assert len(world.tails) == 0
    again = Connection(world, path, headers={"last-event-id": "200"})
    await again.until('"text":"999"')
    await again.leave()
    await world.close()


async def test_a_silent_stream_is_kept_open() -> None:
    world = World(options=NativeOptions(stream_ping_ms=1))
    task_id = await running(world)
    following = Connection(world, f"/api/task/{task_id}/logs/stream")
    await following.until(":\n\n:\n\n")
    await say(world, task_id, 1, "a")
    await following.until('"a"')
    await following.leave()
    await world.close()


async def test_a_gateway_that_stops_says_so(world: World) -> None:
    task_id = await running(world)
    following = Connection(world, f"/api/task/{task_id}/logs/stream")
    await say(world, task_id, 1, "a")
    await following.until('"a"')
    await world.services.logs.drain()
    await following.task
    _, name, data = events(following.text)[-1]
    assert (name, data["code"]) == ("failure", "UNAVAILABLE")
    assert data["requestId"]
    refused = await world.call("GET", f"/api/task/{task_id}/logs/stream")
    assert refused.status_code == 503


async def test_a_stream_ends_with_the_token_that_opened_it() -> None:
    world = World(options=NativeOptions(stream_ping_ms=1))
    task_id = await running(world)
    following = Connection(world, f"/api/task/{task_id}/logs/stream")
    await following.until(":")
    world.clock.advance(world.tokens.authenticate(A).expires_ms - world.clock.now_ms())
    async with asyncio.timeout(5):
        await following.task
    _, name, data = events(following.text)[-1]
    assert (name, data["code"]) == ("failure", "UNAUTHORIZED")
    await world.close()


async def test_a_principal_has_so_many_streams() -> None:
    world = World(options=NativeOptions(streams=1))
    task_id = await running(world)
    path = f"/api/task/{task_id}/logs/stream"
    assert (await world.call("HEAD", path)).status_code == 200
    first = Connection(world, path)
    await say(world, task_id, 1, "a")
    await first.until('"a"')
    full = await world.call("GET", path)
    assert (full.status_code, full.json()["code"]) == (429, "QUOTA_EXCEEDED")
    await first.leave()
    second = Connection(world, path)
    await second.until('"a"')
    await second.leave()
    await world.close()


async def test_the_document_tells_of_the_stream(world: World) -> None:
    paths = (await world.call("GET", "/openapi.json", None)).json()["paths"]
    assert "text/event-stream" in paths["/api/task/{id}/logs/stream"]["get"]["responses"]["200"]["content"]
