"""Both clients over the HTTP library's own test transport: the same calls, the same results."""

import inspect
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dispatcher_sdk
from dispatcher_sdk import AsyncDispatcher, ConnectionFailed, Dispatcher, RequestTimeout
from dispatcher_sdk._http import httpx
from dispatcher_sdk.transports import AsyncHttpTransport, HttpTransport

URL = "http://gateway.test:8787"


class Gateway:
    """Five tasks in pages of two; every second submit meets a gateway that is away."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, request: Any) -> Any:
        self.seen.append(request)
        path = request.url.path
        if request.method == "POST" and path == "/api/task":
            first = sum(seen.method == "POST" for seen in self.seen) == 1
            status = 503 if first else 200
            return httpx.Response(status, json={"id": "task_1", "status": "PENDING"}, headers={"Retry-After": "3"})
        if path == "/api/tasks":
            offset, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
            tasks = [{"id": f"task_{n}", "status": "PENDING"} for n in range(5)][offset : offset + limit]
            return httpx.Response(200, json={"tasks": tasks, "total": 5, "limit": limit, "offset": offset})
        return httpx.Response(200, json={"id": "task_1", "status": "COMPLETED", "result": [1, 2]})


def blocking(handler: Callable[[Any], Any], slept: list[float], **options: Any) -> Dispatcher:
    client = httpx.Client(transport=httpx.MockTransport(handler))
    transport = HttpTransport(URL, client=client)
    return Dispatcher(URL, "token", transport=transport, sleep=slept.append, rng=random.Random(7), **options)


def asynchronous(handler: Callable[[Any], Any], slept: list[float], **options: Any) -> AsyncDispatcher:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    transport = AsyncHttpTransport(URL, client=client)
    return AsyncDispatcher(URL, "token", transport=transport, sleep=sleep, rng=random.Random(7), **options)


async def test_run_over_both_clients() -> None:
    one, other = Gateway(), Gateway()
    slept_one: list[float] = []
    slept_other: list[float] = []
    with blocking(one, slept_one) as client:
        assert client.run("video", {"a": 1}) == [1, 2]
    async with asynchronous(other, slept_other) as async_client:
        assert await async_client.run("video", {"a": 1}) == [1, 2]
    assert slept_one == slept_other
    assert 3.0 <= slept_one[0] <= 3.5
    for gateway in (one, other):
        assert [str(request.url) for request in gateway.seen] == [
            f"{URL}/api/task",
            f"{URL}/api/task",
            f"{URL}/api/task/task_1",
        ]
        assert {request.headers["authorization"] for request in gateway.seen} == {"Bearer token"}
        assert len({request.headers["idempotency-key"] for request in gateway.seen[:2]}) == 1
        assert json.loads(gateway.seen[0].content)["payload"] == {"a": 1}


async def test_lists_page_by_themselves_over_both_clients() -> None:
    gateway = Gateway()
    expected = [f"task_{n}" for n in range(5)]
    assert [task.id for task in blocking(gateway, []).tasks.list(page_size=2)] == expected
    assert [request.url.params["offset"] for request in gateway.seen] == ["0", "2", "4"]
    pager = asynchronous(gateway, []).tasks.list(page_size=2)
    assert [task.id async for task in pager] == expected
    assert (await pager.page(2)).total == 5


class Breaking:
    """An answer that breaks off in the middle; once for each path."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.closed = 0

    def __call__(self, request: Any) -> Any:
        self.seen.append(request)
        again = sum(seen.url.path == request.url.path for seen in self.seen) > 1
        if request.url.path.endswith("/stream"):
            line = b'data: {"seq":%d,"at":1,"attempt":1,"stream":"stdout","text":"x"}\n\n'
            parts = [line % 2, b"event: end\ndata: {}\n\n"] if again else [line % 1, None]
            return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=Parts(self, parts))
        if again:
            return httpx.Response(206, headers={"ETag": '"e"'}, stream=Parts(self, [b"cd"]))
        return httpx.Response(200, headers={"ETag": '"e"', "Content-Length": "4"}, stream=Parts(self, [b"ab", None]))


class Parts(httpx.SyncByteStream, httpx.AsyncByteStream):  # type: ignore[misc, name-defined]
    def __init__(self, gateway: Breaking, parts: list[bytes | None]) -> None:
        self._gateway = gateway
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if part is None:
                raise httpx.ReadError("cut")
            yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part

    def close(self) -> None:
        self._gateway.closed += 1

    async def aclose(self) -> None:
        self._gateway.closed += 1


async def test_logs_and_files_over_both_clients(tmp_path: Path) -> None:
    one, other = Breaking(), Breaking()
    client, async_client = blocking(one, []), asynchronous(other, [])
    assert [line.seq for line in client.tasks.follow("task_1")] == [1, 2]
    assert [line.seq async for line in async_client.tasks.follow("task_1")] == [1, 2]
    assert client.tasks.download("task_1", "x", to=tmp_path / "one") == 4
    assert await async_client.tasks.download("task_1", "x", to=tmp_path / "other") == 4
    for gateway, name in ((one, "one"), (other, "other")):
        assert (tmp_path / name).read_bytes() == b"abcd"
        assert [request.url.params.get("after") for request in gateway.seen] == ["0", "1", None, None]
        assert [request.headers.get("range") for request in gateway.seen] == [None, None, None, "bytes=2-"]
        assert gateway.closed == 4, "no connection is left"


async def test_who_looks_no_further_lets_go_of_the_connection() -> None:
    one, other = Breaking(), Breaking()
    following = blocking(one, []).tasks.follow("task_1")
    assert next(following).seq == 1
    following.close()
    async_following = asynchronous(other, []).tasks.follow("task_1")
    assert (await anext(async_following)).seq == 1
    await async_following.aclose()
    assert (one.closed, other.closed) == (1, 1)
    refused = blocking(lambda _: httpx.Response(404, json={"error": "no", "code": "NOT_FOUND"}), [])
    with pytest.raises(dispatcher_sdk.NotFound, match="NOT_FOUND"):
        next(refused.tasks.follow("task_1"))


async def test_two_submits_have_two_keys() -> None:
    gateway = Gateway()
    client = blocking(gateway, [])
    client.tasks.submit("video", {})
    client.tasks.submit("video", {})
    assert len({request.headers["idempotency-key"] for request in gateway.seen}) == 2


@pytest.mark.parametrize(
    ("raised", "expected", "sent"),
    [
        (httpx.ConnectError("refused"), ConnectionFailed, False),
        (httpx.ConnectTimeout("late"), ConnectionFailed, False),
        (httpx.PoolTimeout("full"), ConnectionFailed, False),
        (httpx.ReadError("reset"), ConnectionFailed, True),
        (httpx.RemoteProtocolError("cut"), ConnectionFailed, True),
        (httpx.ReadTimeout("late"), RequestTimeout, None),
    ],
)
async def test_errors_of_the_library_become_our_own(raised: Exception, expected: type[Exception], sent: bool) -> None:
    def fail(request: Any) -> Any:
        raise raised

    with pytest.raises(expected) as caught:
        blocking(fail, [], max_retries=0).tasks.get("task_1")
    assert getattr(caught.value, "sent", None) is sent
    with pytest.raises(expected):
        await asynchronous(fail, [], max_retries=0).tasks.get("task_1")


def test_with_options_changes_a_copy_and_shares_the_connections() -> None:
    def limits(request: Any) -> Any:
        assert request.extensions["timeout"]["read"] == 1.5
        return httpx.Response(503, json={})

    slept: list[float] = []
    client = blocking(limits, slept)
    impatient = client.with_options(timeout=1.5, max_retries=0)
    with pytest.raises(dispatcher_sdk.ServerError):
        impatient.tasks.get("task_1")
    assert slept == []
    assert impatient._driver is client._driver
    assert client._options.timeout == 30.0


def test_url_and_token_come_from_the_environment_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCHER_URL", "http://env.test/")
    monkeypatch.setenv("DISPATCHER_TOKEN", "env-token")
    with Dispatcher() as client:
        assert client.url == "http://env.test"
        assert client._options.token == "env-token"
        assert "env-token" not in repr(client)
    with Dispatcher("https://argument.test", "argument") as client:
        assert client.url == "https://argument.test"
        assert client._options.token == "argument"
    monkeypatch.delenv("DISPATCHER_URL")
    monkeypatch.delenv("DISPATCHER_TOKEN")
    with Dispatcher() as client:
        assert client.url == "http://127.0.0.1:8787"
        assert client._options.token is None


@pytest.mark.parametrize("url", ["gateway:8787", "ftp://gateway", "http://", "127.0.0.1"])
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        Dispatcher(url)


def _surface(client: object) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in inspect.getmembers(type(client), inspect.isfunction)
        if not name.startswith("_")
    }


def test_the_clients_are_twins() -> None:
    one, other = blocking(Gateway(), []), asynchronous(Gateway(), [])
    for path in ("tasks", "servers", "stats", "load_balancer"):
        mine, theirs = _surface(getattr(one, path)), _surface(getattr(other, path))
        assert mine.keys() == theirs.keys()
        for name in mine:
            assert mine[name].parameters == theirs[name].parameters, f"{path}.{name}"
            assert getattr(type(getattr(one, path)), name).__doc__, f"{path}.{name} says nothing about itself"
    assert _surface(one).keys() == _surface(other).keys() == {"close", "run", "with_options"}
    assert _surface(one)["run"] == _surface(other)["run"]


def test_help_shows_the_method_and_not_its_flow() -> None:
    signature = inspect.signature(Dispatcher.run)
    assert list(signature.parameters)[:3] == ["self", "type", "payload"]
    assert inspect.signature(type(blocking(Gateway(), []).tasks).get).return_annotation is dispatcher_sdk.Task
