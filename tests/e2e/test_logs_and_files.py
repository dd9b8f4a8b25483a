"""What a task says and leaves behind, through real gateways: the sockets are what is tested here."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from dispatcher_sdk import AsyncDispatcher
from tests.e2e.fleet import running_fleet
from tests.e2e.world import CLIENT, World, until, world_on

pytestmark = pytest.mark.e2e

DATA = os.urandom((3 << 20) + 17)
ANN = {"Authorization": f"Bearer {CLIENT}"}


async def broken_body() -> AsyncIterator[bytes]:
    yield DATA
    raise ZeroDivisionError


async def claimed(world: World) -> tuple[str, str]:
    """A task that a worker has: its id and the callback token."""
    body = {"name": "w", "transport": "pull", "capabilities": [world.capability]}
    server_id = (await world.call("POST", "/api/servers", body))["serverId"]
    task_id = await world.create()
    claim = await world.call("POST", f"/api/servers/{server_id}/claim", {"wait": 5})
    return task_id, claim["callbackToken"]


async def test_logs_and_files_of_a_task(tmp_path: Path) -> None:
    with running_fleet(tmp_path, gateways=2, servers=1) as fleet:
        async with world_on(fleet) as world:
            task_id, token = await claimed(world)
            worker = {"Authorization": f"Bearer {token}"}
            first, second = (f"{url}/api/task/{task_id}" for url in fleet.urls)

            async with world.http.get(f"{second}/logs/stream", headers=ANN) as stream:
                say = {"first": 1, "lines": [{"text": "hello"}]}
                await world.call("POST", f"/api/task/{task_id}/logs", say, via=0, bearer=token)
                assert b'"text":"hello"' in await stream.content.readuntil(b"\n\n")

                async with world.http.put(f"{first}/files/out/data", data=io.BytesIO(DATA), headers=worker) as answer:
                    assert (await answer.json())["sha256"] == hashlib.sha256(DATA).hexdigest()
                with pytest.raises(aiohttp.ClientError):
                    await world.http.put(f"{first}/files/broken", data=broken_body(), headers=worker)
                leaving = await world.http.get(f"{second}/files/out/data", headers=ANN)
                await leaving.content.readexactly(1)
                leaving.close()
                part = {**ANN, "Range": "bytes=5-3000000"}
                async with world.http.get(f"{second}/files/out/data", headers=part) as answer:
                    assert (answer.status, await answer.read()) == (206, DATA[5:3_000_001])
                await until(lambda: _tidy(fleet.gateways[1].process.pid, tmp_path), "nothing but the file is left")

                stopped = asyncio.create_task(asyncio.to_thread(fleet.gateways[1].terminate))
                assert b'"code":"UNAVAILABLE"' in await stream.content.read()
            assert await stopped == 0
            resume = {**ANN, "Last-Event-ID": "0"}
            await world.call("PUT", f"/api/task/{task_id}", {"status": "COMPLETED"}, via=0, bearer=token)
            async with world.http.get(f"{first}/logs/stream", headers=resume) as stream:
                text = await stream.text()
                assert text.startswith("id: 1\n")
                assert text.endswith('event: end\ndata: {"status":"COMPLETED"}\n\n')
            async with AsyncDispatcher(fleet.urls[0], CLIENT) as client:
                assert [line.text async for line in client.tasks.follow(task_id)] == ["hello"]
                (file,) = await client.tasks.files(task_id)
                assert await client.tasks.download(task_id, file, to=tmp_path / "copy") == len(DATA)
            assert (tmp_path / "copy").read_bytes() == DATA


async def _tidy(pid: int, directory: Path) -> bool:
    files = [path for path in directory.rglob(".dispatcher/files/**/*") if path.is_file()]
    held = [file.path for file in psutil.Process(pid).open_files() if ".dispatcher/files" in file.path]
    return len(files) == 1 and not held
