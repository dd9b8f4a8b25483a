"""A client of CloudAI written from its document alone: the standard library and a WebSocket library, none of ours."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


class CloudAI:
    """`server` is host:port, `base` stands before each path; what the document does not know, a token, goes into each
    request."""

    def __init__(self, server: str, token: str, base: str = "") -> None:
        self.server = server
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}"}

    def fetch(self, method: str, path: str, body: Any = None) -> tuple[int, str, bytes]:
        """Status, content type and body of an answer."""
        connection = http.client.HTTPConnection(self.server, timeout=10)
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._base + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        status, _, text = self.fetch(method, path, body)
        return status, json.loads(text)

    def get(self, path: str) -> Any:
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    # ---- workers

    def register(self, worker_id: str, worker_ip: str) -> tuple[int, Any]:
        return self.ask("POST", "/api/workers", {"worker_id": worker_id, "worker_ip": worker_ip})

    def workers(self) -> dict[str, Any]:
        return {worker["worker_id"]: worker for worker in self.get("/api/workers")["workers"]}

    # ---- tasks

    def submit(self, **more: Any) -> str:
        work = {"docker_image": "nginx:latest", "cpu_required": 1.0, "memory_required": 2.0}
        status, answer = self.ask("POST", "/api/tasks", {**work, **more})
        assert (status, answer["success"], answer["task"]["status"]) == (201, True, "pending"), answer
        return str(answer["task_id"])

    def task(self, task_id: str) -> Any:
        return self.get(f"/api/tasks/{task_id}")

    def listed(self, status: str) -> list[str]:
        return [task["task_id"] for task in self.get(f"/api/tasks?status={status}")["tasks"]]

    def cancel(self, task_id: str) -> tuple[int, Any]:
        return self.ask("DELETE", f"/api/tasks/{task_id}")

    def retry(self, task_id: str) -> tuple[int, Any]:
        return self.ask("PUT", f"/api/tasks/{task_id}/retry")

    # ---- sockets

    def socket(self, path: str) -> ClientConnection:
        return connect(f"ws://{self.server}{self._base}{path}", additional_headers=self._headers, proxy=None)

    def follow(self, task_id: str) -> Iterator[Any]:
        """The messages of a task's log until the other side closes."""
        with self.socket(f"/ws/tasks/{task_id}/logs") as socket:
            try:
                while True:
                    yield json.loads(socket.recv(timeout=10))
            except ConnectionClosed as closed:
                yield {"type": "closed", "code": closed.rcvd.code if closed.rcvd is not None else None}
