"""A whole backend over loopback sockets, called by a stand-in of the gateway."""

import asyncio
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher_sdk import AsyncDispatcher, Backend, Context
from dispatcher_sdk._http import httpx
from dispatcher_sdk.backend.http_server import HttpResponse
from tests.sdk.backend.fake_gateway import FakeGateway, fake_gateway, serving

ROOT = Path(__file__).parents[3]


def make(gateway: FakeGateway, **options: Any) -> Backend:
    return Backend("gpu-01", dispatcher_url=gateway.url, token="admin", **options)


async def test_from_registration_to_departure() -> None:
    async with fake_gateway() as gateway, httpx.AsyncClient() as client:
        backend = make(gateway, capabilities=["video"], groups=["eu"], priority=2, max_concurrent=3)

        @backend.predict
        def double(payload: Any) -> Any:
            return {"double": 2 * payload["n"]}

        async with serving(backend) as url:
            assert gateway.registered["endpoints"] == {
                "predict": f"{url}/predict",
                "health": f"{url}/health",
                "metrics": f"{url}/metrics",
                "cancel": f"{url}/cancel",
            }
            assert (gateway.registered["capabilities"], gateway.registered["groups"]) == (["video"], ["eu"])
            assert (gateway.registered["priority"], gateway.registered["maxConcurrent"]) == (2, 3)
            assert len(gateway.registered["apiKey"]) >= 32
            answer = await gateway.predict(client, {"n": 21})
            assert (answer.status_code, answer.json()) == (200, {"double": 42})
            heartbeat = await gateway.until("POST", "/api/servers/server_1/heartbeat")
            assert heartbeat["metrics"]["memory"] > 0
            assert (await client.get(f"{url}/health")).json() == {"status": "healthy"}
    maintenance = gateway.index("POST", "/api/servers/server_1/maintenance")
    assert maintenance < gateway.index("DELETE", "/api/servers/server_1")
    assert gateway.log[-1] == ("DELETE", "/api/servers/server_1", "server-token")


async def test_each_type_has_its_function_and_progress_arrives() -> None:
    async with fake_gateway() as gateway, httpx.AsyncClient() as client:
        backend = make(gateway)

        @backend.predict(type="frames")
        def frames(payload: Any, ctx: Context) -> Iterator[str]:
            ctx.progress(50)
            yield from ("a", "b")

        @backend.predict(type="echo")
        async def echo(payload: Any) -> Any:
            return payload

        async with serving(backend):
            assert (await gateway.predict(client, 1, "task_1", type="frames")).json() == ["a", "b"]
            assert (await gateway.predict(client, 1, "task_2", type="echo")).json() == 1
            assert (await gateway.predict(client, 1, "task_3", type="other")).status_code == 422


async def test_progress_reaches_the_gateway_while_the_function_runs() -> None:
    async with fake_gateway() as gateway, httpx.AsyncClient() as client:
        backend = make(gateway)
        told = asyncio.Event()

        @backend.predict
        async def work(payload: Any, ctx: Context) -> Any:
            ctx.progress(45)
            await told.wait()
            return "done"

        async with serving(backend):
            call = asyncio.create_task(gateway.predict(client, 1))
            assert await gateway.until("PUT", "/api/task/task_1") == {"status": "PROCESSING", "progress": 45}
            told.set()
            assert (await call).json() == "done"
    assert ("PUT", "/api/task/task_1", "callback-1") in gateway.log


async def test_a_function_learns_that_its_attempt_is_stale() -> None:
    async with fake_gateway() as gateway, httpx.AsyncClient() as client:
        backend = make(gateway)
        gateway.on_put = lambda body: HttpResponse(409)

        @backend.predict
        async def endless(payload: Any, ctx: Context) -> Any:
            ctx.progress(1)
            await asyncio.Event().wait()

        async with serving(backend):
            assert (await gateway.predict(client, 1)).json() == {"error": "cancelled"}


async def test_accept_mode_answers_at_once_and_reports_the_end() -> None:
    async with fake_gateway() as gateway, httpx.AsyncClient() as client:
        backend = make(gateway, mode="accept")
        release = asyncio.Event()

        @backend.predict
        async def work(payload: Any) -> Any:
            await release.wait()
            return {"n": payload}

        async with serving(backend):
            assert (await gateway.predict(client, 7)).status_code == 202
            release.set()
            assert await gateway.until("PUT", "/api/task/task_1") == {"status": "COMPLETED", "result": {"n": 7}}


async def test_a_backend_can_be_stopped_while_it_still_waits_for_the_gateway() -> None:
    async with fake_gateway() as gateway:
        url = gateway.url
    backend = Backend("gpu-01", dispatcher_url=url, token="admin")
    backend.predict(lambda payload: payload)
    serve = asyncio.create_task(backend.serve())
    await asyncio.sleep(0)  # serve runs up to its first wait
    backend.stop()
    await serve
    backend.stop()


def test_what_cannot_work_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="url="):
        Backend("gpu-01", host="::")
    for wrong in (0, 257):
        with pytest.raises(ValueError, match="max_concurrent"):
            Backend("gpu-01", max_concurrent=wrong)
    monkeypatch.setenv("DISPATCHER_SERVER_ID", "server_1")
    with pytest.raises(ValueError, match="api_key"):
        Backend("gpu-01")
    monkeypatch.setenv("DISPATCHER_API_KEY", "key")
    assert Backend("gpu-01")._api_key == "key"


async def test_a_gateway_on_this_machine_is_not_looked_for_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with fake_gateway() as gateway, AsyncDispatcher(gateway.url, "admin") as client:
        assert (await client.servers.unregister("server_1")).server_id == "server_1"


async def test_a_backend_without_a_function_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"@backend\.predict"):
        await Backend("gpu-01").serve()


PROGRAM = """
    import sys
    from dispatcher_sdk import Backend
    backend = Backend("gpu-01", dispatcher_url=sys.argv[1], token="admin")
    @backend.predict
    def work(payload):
        print("working", flush=True)
        sys.stdin.readline()
        return "finished"
    backend.run()
"""


async def working(gateway: FakeGateway) -> asyncio.subprocess.Process:
    """The program as a process; it is registered and has sent its first heartbeat."""
    pipe = asyncio.subprocess.PIPE
    program = (sys.executable, "-c", textwrap.dedent(PROGRAM), gateway.url)
    process = await asyncio.create_subprocess_exec(*program, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT / "sdk")
    await gateway.until("POST", "/api/servers/server_1/heartbeat")
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_running_work_end_before_the_server_leaves(number: signal.Signals) -> None:
    async with fake_gateway() as gateway, httpx.AsyncClient(timeout=30) as client:
        process = await working(gateway)
        assert process.stdin is not None
        assert process.stdout is not None
        call = asyncio.create_task(gateway.predict(client, 1))
        assert await process.stdout.readline() == b"working\n"
        process.send_signal(number)
        await gateway.until("POST", "/api/servers/server_1/maintenance")
        refused = await gateway.predict(client, 2, "task_2")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert not call.done()
        process.stdin.write(b"\n")
        assert (await call).json() == "finished"
        _, errors = await process.communicate()
    assert process.returncode == 0
    assert gateway.log[-1][:2] == ("DELETE", "/api/servers/server_1")
    assert gateway.registered["apiKey"].encode() not in errors
    assert b"server-token" not in errors


async def test_a_second_signal_leaves_without_finishing_but_says_so() -> None:
    async with fake_gateway() as gateway, httpx.AsyncClient(timeout=30) as client:
        process = await working(gateway)
        assert process.stdout is not None
        call = asyncio.create_task(gateway.predict(client, 1))
        assert await process.stdout.readline() == b"working\n"
        process.send_signal(signal.SIGTERM)
        await gateway.until("POST", "/api/servers/server_1/maintenance")
        process.send_signal(signal.SIGTERM)
        await process.wait()
        assert process.stdin is not None
        process.stdin.close()
        with pytest.raises(httpx.HTTPError):
            await call
    assert gateway.log[-1][:2] == ("DELETE", "/api/servers/server_1"), "its work goes back to the queue at once"
