"""A process of workers that fetch: some by claims that wait, some down a socket. It writes down what it is given.

    python claiming_workers.py LOG < JSON      [{"id", "token", "gateway", "transport": "pull" | "socket"}, ...]

LOG gets a line "given TASK FENCE SERVER" before anything else is done with a task, and "taken ..." or "refused ..."
when the gateway has answered the result.
"""

import asyncio
import json
import os
import secrets
import sys
from contextlib import suppress
from typing import Any

import aiohttp

WORK_S = 0.1
SLOTS = 2  # of one socket
BEAT_S = 0.5


class Worker:
    def __init__(self, http: aiohttp.ClientSession, log: int, about: dict[str, str]) -> None:
        self._http = http
        self._log = log
        self._id = about["id"]
        self._url = f"{about['gateway']}/api/servers/{self._id}"
        self._headers = {"Authorization": f"Bearer {about['token']}"}
        self._transport = about["transport"]

    async def run(self) -> None:
        work = self._claim if self._transport == "pull" else self._talk
        while True:
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                await work()
            await asyncio.sleep(0.2)  # a gateway that is gone; it may come back

    def _note(self, what: str, task: dict[str, Any]) -> None:
        os.write(self._log, f"{what} {task['taskId']} {task['attempt']} {self._id}\n".encode())

    async def _claim(self) -> None:
        while True:
            async with self._http.post(f"{self._url}/claim", json={"wait": 5}, headers=self._headers) as answer:
                if answer.status != 200:
                    assert answer.status == 204, await answer.text()
                    continue
                task = await answer.json()
            self._note("given", task)
            await asyncio.sleep(WORK_S)
            headers = {"Authorization": f"Bearer {task['callbackToken']}"}
            body = {"status": "COMPLETED", "result": self._id, "attempt": task["attempt"]}
            async with self._http.put(task["callbackUrl"], json=body, headers=headers) as answer:
                assert answer.status in (200, 409), await answer.text()
                self._note("taken" if answer.status == 200 else "refused", task)

    async def _talk(self) -> None:
        async with self._http.ws_connect(f"{self._url}/socket", headers=self._headers) as socket:
            beating = asyncio.create_task(self._beat(socket))
            try:
                await socket.send_json({"type": "ready", "slots": SLOTS})
                async for message in socket:
                    await self._hear(socket, json.loads(message.data))
            finally:
                beating.cancel()

    async def _hear(self, socket: "aiohttp.ClientWebSocketResponse", message: dict[str, Any]) -> None:
        if message["type"] == "task":
            task = message["task"]
            self._note("given", task)
            await asyncio.sleep(WORK_S)
            about = {"taskId": task["taskId"], "attempt": task["attempt"]}
            await socket.send_json({"type": "result", **about, "status": "COMPLETED", "result": self._id})
        elif message["type"] == "ack":
            self._note("taken" if message["accepted"] else "refused", message)
            await socket.send_json({"type": "ready", "slots": 1})

    async def _beat(self, socket: "aiohttp.ClientWebSocketResponse") -> None:
        boot_id = secrets.token_hex(8)  # what a killed process had is known to be lost
        while True:
            await socket.send_json({"type": "heartbeat", "bootId": boot_id})
            await asyncio.sleep(BEAT_S)


async def main() -> None:
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await asyncio.gather(*(Worker(http, log, about).run() for about in json.load(sys.stdin)))


if __name__ == "__main__":
    asyncio.run(main())
