"""A client and an executor of the job queue, written from its document alone: standard library, no token, nothing of
ours."""

import http.client
import json
from typing import Any


class JobQueue:
    def __init__(self, server: str) -> None:
        self.server = server

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON (or text) of an answer."""
        connection = http.client.HTTPConnection(self.server, timeout=10)
        try:
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text, kind = answer.read().decode(), answer.getheader("Content-Type", "")
        finally:
            connection.close()
        return answer.status, json.loads(text) if text and kind.startswith("application/json") else text

    def submit(self, kind: str, priority: str, **more: Any) -> str:
        job = {
            "type": kind,
            "binary_url": "https://example.com/binary",
            "binary_sha256": "abc123" + "0" * 58,
            "priority": priority,
        }
        status, answer = self.ask("POST", "/jobs", {**job, **more})
        assert status == 201, answer
        assert answer["status"] == "pending"
        return str(answer["id"])


class Worker:
    def __init__(self, queue: JobQueue, name: str) -> None:
        self.queue, self.name = queue, name

    def claim(self) -> Any:
        status, job = self.queue.ask("POST", "/jobs/claim", {"executor_id": self.name, "executor_ip": "192.168.1.100"})
        assert status in (200, 204), job
        return job if status == 200 else None

    def tell(self, verb: str, job_id: str, **more: Any) -> tuple[int, Any]:
        return self.queue.ask("PUT", f"/jobs/{job_id}/{verb}", {"executor_id": self.name, **more})
