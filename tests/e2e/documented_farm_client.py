"""A client of AI Farm and a user of its REST API, written from the document alone: the standard library and a WebSocket
library, nothing of ours."""

import http.client
import json
import time
from contextlib import ExitStack
from typing import Any

from websockets.sync.client import ClientConnection, connect


def timestamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Farm:
    """REST, as its user."""

    def __init__(self, server: str, token: str) -> None:
        self.server, self.token = server, token
        self.headers = http.client.HTTPMessage()  # of the last answer

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON (None without a body) of an answer."""
        connection = http.client.HTTPConnection(self.server, timeout=10)
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        self.headers = answer.headers
        return answer.status, json.loads(text) if text else None

    def create(self, **more: Any) -> str:
        status, answer = self.ask("POST", "/api/tasks", {"type": "training", "name": "model_name", **more})
        assert (status, answer["status"]) == (201, "pending"), answer
        return str(answer["id"])

    def task(self, task_id: str) -> Any:
        status, answer = self.ask("GET", f"/api/tasks/{task_id}")
        assert status == 200, answer
        return answer

    def put(self, task_id: str, status: str, reason: str = "because") -> tuple[int, Any]:
        return self.ask("PUT", f"/api/tasks/{task_id}/status", {"status": status, "reason": reason})


class Client:
    """A machine that trains."""

    def __init__(self, server: str, token: str | None, client_id: str) -> None:
        self.id = client_id
        self._url = f"ws://{server}"
        self._headers = {"Client-ID": client_id} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._life = ExitStack()
        self.socket: ClientConnection

    def __enter__(self) -> "Client":
        self.socket = self._life.enter_context(connect(self._url, additional_headers=self._headers, proxy=None))
        return self

    def __exit__(self, *_: object) -> None:
        self._life.close()

    def say(self, kind: str, **members: Any) -> None:
        self.socket.send(json.dumps({"type": kind, "client_id": self.id, "timestamp": timestamp(), **members}))

    def hear(self) -> Any:
        return json.loads(self.socket.recv(timeout=10))

    def beat(self) -> None:
        self.say("heartbeat", system_info={"cpu_usage": 45.2, "ram_usage": 60.5, "gpu_usage": 80.0})

    def next_task(self) -> Any:
        self.say("task_request")
        message = self.hear()
        assert message["type"] == "task", message
        return message["data"]

    def report(self, task_id: str, progress: float, **metrics: float) -> None:
        self.say("task_progress", task_id=task_id, progress=progress, metrics=metrics)

    def finish(self, task_id: str, status: str = "completed") -> Any:
        metrics = {"final_loss": 0.0018, "final_accuracy": 0.988, "training_time": 3600}
        self.say("task_result", task_id=task_id, status=status, metrics=metrics, checkpoint_path="/path/to/model.pt")
        message = self.hear()
        assert (message["type"], message["task_id"]) == ("task_result_ack", task_id), message
        return message["received"]
