"""A backend that is handed its work over a WebSocket which it opened, against a real gateway."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from dispatcher_sdk import AsyncDispatcher, TaskCancelled, _json
from tests.e2e.conftest import LiveGateway
from tests.e2e.test_pull import BACKEND, Backends

pytestmark = pytest.mark.e2e


@pytest.fixture
def backends(gateway: LiveGateway, tmp_path: Path) -> Iterator[Backends]:
    made = Backends(gateway, tmp_path / "log", BACKEND.replace('"pull"', '"socket"'))
    yield made
    made.end()


@pytest.fixture
def client(gateway: LiveGateway) -> AsyncDispatcher:
    return AsyncDispatcher(gateway.url, gateway.token("--sub", "ann", "--role", "client"))


@pytest.mark.parametrize("gateway", ["hypercorn", "granian"], indirect=True)
async def test_tasks_come_down_are_done_and_told(
    backends: Backends, client: AsyncDispatcher, gateway: LiveGateway
) -> None:
    process = backends.start()
    async with client, AsyncDispatcher(gateway.url, gateway.token("--sub", "root", "--role", "admin")) as admin:
        results = await asyncio.gather(*(client.run("t", {"n": n}, wait_timeout=30) for n in range(20)))
        assert results == [{"n": n, "pid": process.pid} for n in range(20)]
        task = await client.tasks.submit("t", {"hang": True})
        await backends.said(task.id)
        (server,) = [server async for server in admin.servers.list()]
        assert (server.transport, server.active_tasks) == ("socket", 1)
        began = asyncio.get_running_loop().time()
        await client.tasks.cancel(task)
        await backends.said(f"{task.id} ends cancelled")
        assert asyncio.get_running_loop().time() - began < 1
        with pytest.raises(TaskCancelled):
            raise TaskCancelled(await client.tasks.wait(task, timeout=5))
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
        assert [server async for server in admin.servers.list()] == []


async def test_a_killed_worker_loses_nothing_and_its_late_word_is_refused(
    backends: Backends, client: AsyncDispatcher, gateway: LiveGateway
) -> None:
    first = backends.start()
    async with client, AsyncDispatcher(gateway.url, gateway.token("--sub", "root", "--role", "admin")) as admin:
        task = await client.tasks.submit("t", {"n": 7, "seconds": 2})
        await backends.said(task.id)
        (dead,) = [server async for server in admin.servers.list()]
        first.kill()
        second = backends.start()
        ended = await client.tasks.wait(task, timeout=40)
        assert ended.result == {"n": 7, "pid": second.pid}
        assert (ended.attempt, [attempt.status for attempt in ended.attempts]) == (2, ["lost", "completed"])
    headers = {"Authorization": f"Bearer {gateway.token('--sub', 'root', '--role', 'admin')}"}
    url = f"ws{gateway.url.removeprefix('http')}/api/servers/{dead.id}/socket"
    async with connect(url, additional_headers=headers) as socket:
        await socket.recv()
        report = {"type": "result", "taskId": task.id, "attempt": 1, "status": "COMPLETED", "result": "late"}
        await socket.send(_json.dumps(report).decode())
        answer = _json.loads(str(await socket.recv()).encode())
        assert (answer["type"], answer["accepted"], answer["code"]) == ("ack", False, "STALE_ATTEMPT")


async def test_work_goes_on_over_a_restart_of_the_gateway(
    backends: Backends, client: AsyncDispatcher, gateway: LiveGateway, tmp_path: Path
) -> None:
    process = backends.start()
    async with client:
        task = await client.tasks.submit("t", {"n": 1, "seconds": 2})
        await backends.said(task.id)
        port = gateway.url.rsplit(":", 1)[1]
        gateway.program.stop(signal.SIGTERM)
        again = gateway.start("serve", "--port", port, **gateway.environ)
        again.until(r"listening on (http://\S+)")
        ended = await client.tasks.wait(task, timeout=30)
        assert ended.result == {"n": 1, "pid": process.pid}
        assert (tmp_path / "log").read_text().count(f"{task.id} ends") == 1, "whatever became of its lease meanwhile"
        assert await client.run("t", {"n": 2}, wait_timeout=30) == {"n": 2, "pid": process.pid}
