"""A server of binaries and a stand-in of the job queue, on loopback, each in a thread of its own."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is a part of the tests."""


class Site:
    """Answers GET by path with what `pages` holds, and remembers the requests."""

    def __init__(self, answer: "Callable[[str, str, dict[str, str], bytes], Answer]") -> None:
        site = self
        self.seen: list[tuple[str, str, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", "0")))
                site.seen.append((self.command, self.path, headers))
                status, sent, content = answer(self.command, self.path, headers, body)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | sent).items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_PUT = do_GET  # noqa: N815 - the library's names

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def listening(site: Site) -> Iterator[Site]:
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()
        thread.join()


class Files(Site):
    """Binaries by name. `special` answers in other ways."""

    def __init__(self) -> None:
        super().__init__(self._get)
        self.binaries: dict[str, bytes] = {}
        self.special: dict[str, Answer] = {}

    def add(self, name: str, content: bytes | str) -> tuple[str, str]:
        """Serve it; answers URL and SHA-256."""
        data = content.encode() if isinstance(content, str) else content
        self.binaries[f"/{name}"] = data
        return f"{self.url}/{name}", hashlib.sha256(data).hexdigest()

    def _get(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path in self.special:
            return self.special[path]
        if path not in self.binaries:
            return 404, {}, b""
        return 200, {}, self.binaries[path]


class FakeQueue(Site):
    """Hands out `jobs` one by one and takes reports. `refuse` answers (method, path) with a status, once each time."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.jobs: list[dict[str, Any]] = []
        self.refuse: dict[tuple[str, str], list[int]] = {}
        self.reports: dict[str, tuple[str, dict[str, Any]]] = {}
        self.heartbeats: list[str] = []
        self.executors: set[str] = set()
        self.lease = ""  # what a claim says of it
        self.changed = threading.Condition()
        self.hold: threading.Event | None = None  # claims wait for it

    def job(self, name: str, binary: tuple[str, str], *arguments: str, **env: str) -> None:
        url, digest = binary
        self.jobs.append(
            {"id": name, "type": "t", "binary_url": url, "binary_sha256": digest, "arguments": list(arguments),
             "env_variables": env, "priority": "background", "status": "running"}
        )  # fmt: skip

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, 20)

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if self.hold is not None and path.endswith("/claim"):
            with self.changed:
                self.changed.notify_all()
            self.hold.wait(20)
        with self.changed:
            try:
                return self._judge(method, path, json.loads(body))
            finally:
                self.changed.notify_all()

    def _judge(self, method: str, path: str, fields: dict[str, Any]) -> Answer:
        self.executors.add(fields.get("executor_id", ""))
        if planned := self.refuse.get((method, path)):
            return planned.pop(0), {}, b'{"error":"as planned","context":{}}'
        if path == "/api/v1/jobs/claim":
            if not self.jobs:
                return 204, {"Content-Length": ""}, b""
            return 200, {"X-Lease-Seconds": self.lease}, json.dumps(self.jobs.pop(0)).encode()
        _, name, verb = path.removeprefix("/api/v1").rsplit("/", 2)
        if verb == "heartbeat":
            self.heartbeats.append(name)
        else:
            self.reports[name] = (verb, fields)
        return 200, {}, b"{}"
