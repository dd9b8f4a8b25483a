"""A client of the Cluster Manager, written from its document alone: the standard library, and a library for WebSockets;
nothing of ours."""

import http.client
import json
from types import TracebackType
from typing import Any

from websockets.sync.client import ClientConnection, connect


class Cluster:
    def __init__(self, server: str, api_key: str | None) -> None:
        self.server = server
        self.headers: dict[str, str] = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self.answered: http.client.HTTPMessage  # the headers of the last answer

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        connection = http.client.HTTPConnection(self.server, timeout=10)
        try:
            headers = self.headers if body is None else {**self.headers, "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            self.answered = answer.headers
        finally:
            connection.close()
        return answer.status, json.loads(text)

    def get(self, path: str) -> Any:
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path: str, body: Any) -> Any:
        status, answer = self.ask("POST", path, body)
        assert status == 200, answer
        return answer

    def submit(self, prompt: str, **more: Any) -> str:
        task = {
            "task_type": "text_generation",
            "model_name": "llama-2-7b",
            "parameters": {"prompt": prompt, "max_tokens": 512, "temperature": 0.7},
            "priority": "normal",
            "timeout": 300,
        }
        answer = self.post("/tasks", {**task, **more})
        assert answer["status"] == "queued"
        assert answer["assigned_worker"] is None
        return str(answer["task_id"])


class Events:
    def __init__(self, cluster: Cluster) -> None:
        self._connecting = connect(f"ws://{cluster.server}/ws", additional_headers=cluster.headers, proxy=None)
        self.socket: ClientConnection

    def __enter__(self) -> "Events":
        self.socket = self._connecting.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connecting.__exit__(kind, error, at)

    def next(self, name: str) -> dict[str, Any]:
        """The data of the next event with this name."""
        while True:
            message = json.loads(self.socket.recv(timeout=20))
            assert message.keys() == {"event", "timestamp", "data"}
            if message["event"] == name:
                found: dict[str, Any] = message["data"]
                return found
