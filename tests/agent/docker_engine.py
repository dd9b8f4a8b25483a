"""A stand-in of the Docker Engine's HTTP API, on loopback: one container, which does what the test says."""

import io
import json
import re
import struct
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

CONTAINER = "c" * 64
BEGAN = 1_750_000_000  # epoch seconds


class Engine:
    """`images` are there, `published` can be pulled. The container says `said` (stream, bytes), leaves `output` and
    ends with `code` once `end` is set, as a request to stop does too."""

    def __init__(self) -> None:
        self.images = {"ubuntu:24.04"}
        self.published = {"ubuntu:24.04", "python:3.13"}
        self.said: list[tuple[str, bytes]] = []
        self.told: int | None = None  # entries of a stream that are told before it ends; None: all
        self.output: dict[str, bytes] | None = {}  # None: it has removed the directory
        self.links: dict[str, str] = {}  # symbolic ones, by name
        self.hard_links: dict[str, str] = {}  # with what the archive calls the first name
        self.code = 0
        self.end = threading.Event()
        self.running = threading.Event()
        self.pulling = threading.Event()
        self.slow_pull = False  # until `end`
        self.pull_error = ""  # after the pull has begun
        self.pausing, self.paused = threading.Event(), threading.Event()
        self.paused.set()  # else a pause takes until then
        self.unkept: set[str] = set()  # limits that it cannot hold
        self.out_of_memory = False
        self.stubborn = False  # no container can be removed
        self.refusal: tuple[int, str] | None = None  # of the start
        self.labelled = ""  # a container that is there from the beginning
        self.created: dict[str, Any] = {}
        self.prepared: list[tuple[str, int]] = []
        self.calls: list[str] = []
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b"".join(_chunks(self.rfile))
                path = re.sub(r"^/v[0-9.]+", "", self.path)
                engine.calls.append(f"{self.command} {path.split('?')[0].replace(CONTAINER, 'ID')}")
                status, answer, kind = engine.answer(self.command, path, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if "/archive" in path and self.command == "GET":
                    self.send_header("X-Docker-Container-Path-Stat", "e30=")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - the library's names

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"tcp://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes, str]:
        where, _, query = path.partition("?")
        match method, where.replace(CONTAINER, "ID").split("/")[1:]:
            case "GET", ["version"]:
                return _json({"ApiVersion": "1.47"})
            case "GET", ["images", *name, "json"]:
                image = "/".join(name)
                return _json({"Id": "sha256:1", "RepoTags": [image]}) if image in self.images else _error("no image")
            case "POST", ["images", "create"]:
                name = re.sub(r"fromImage=([^&]+)&tag=([^&]+)|tag=([^&]+)&fromImage=([^&]+)", r"\1\4:\2\3", query)
                if name not in self.published:
                    return _error(f"manifest of {name} unknown")
                self.pulling.set()
                if self.slow_pull:
                    self.end.wait(20)
                if self.pull_error:
                    return _json({"errorDetail": {"message": self.pull_error}, "error": self.pull_error})
                self.images.add(name)
                return _json({"status": "done"})
            case "POST", ["containers", "create"]:
                self.created = json.loads(body)
                return _json({"Id": CONTAINER, "Warnings": []}, 201)
            case "GET", ["containers", "json"]:
                wanted = json.loads(parse_qs(query)["filters"][0]) | {"all": parse_qs(query)["all"]}
                found = wanted == {"label": [self.labelled], "all": ["1"]}
                return _json([{"Id": CONTAINER}] if found else [])
            case "GET", ["containers", "ID", "json"]:
                limits = {
                    name: value for name, value in self.created.get("HostConfig", {}).items() if name not in self.unkept
                }
                state = {"Status": "running", "OOMKilled": self.out_of_memory}
                return _json({"Id": CONTAINER, "State": state, "HostConfig": limits, "Config": {"Tty": False}})
            case "PUT", ["containers", "ID", "archive"]:
                with tarfile.open(fileobj=io.BytesIO(body)) as archive:
                    self.prepared = [(member.name, member.mode) for member in archive]
                return 200, b"", "text/plain"
            case "POST", ["containers", "ID", "start"]:
                if self.refusal is not None:
                    return _error(self.refusal[1], self.refusal[0])
                self.running.set()
                return 204, b"", "text/plain"
            case "GET", ["containers", "ID", "logs"]:
                self.end.wait(20)
                return 200, self._log(parse_qs(query)), "application/vnd.docker.multiplexed-stream"
            case "POST", ["containers", "ID", "wait"]:
                self.end.wait(20)
                return _json({"StatusCode": self.code})
            case "POST", ["containers", "ID", "stop"]:
                self.code = 143
                self.end.set()
                return 204, b"", "text/plain"
            case "POST", ["containers", "ID", "pause" | "unpause"]:
                if where.endswith("/pause"):
                    self.pausing.set()
                    self.paused.wait(20)
                return 204, b"", "text/plain"
            case "GET", ["containers", "ID", "archive"]:
                if self.output is None:
                    return _error("Could not find the file /output")
                return 200, _tar(self.output, self.links, self.hard_links), "application/x-tar"
            case "DELETE", ["containers", "ID"] if self.stubborn:
                return _error("not now", 500)
            case "DELETE", ["containers", "ID"]:
                self.end.set()
                return 204, b"", "text/plain"
        raise AssertionError((method, path))

    def _log(self, asked: dict[str, list[str]]) -> bytes:
        """Two entries a second."""
        assert asked["timestamps"] == ["1"]
        kind = 1 if asked["stdout"] == ["1"] else 2
        told = self.told if asked["follow"] == ["1"] else None
        since = int(asked["since"][0]) if "since" in asked else BEGAN
        frames = []
        for at, (_, data) in enumerate([one for one in self.said if one[0] == ("", "stdout", "stderr")[kind]][:told]):
            if (second := BEGAN + at // 2) >= since:
                entry = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z ").encode() + data
                frames.append(struct.pack(">BxxxL", kind, len(entry)) + entry)
        return b"".join(frames)


@contextmanager
def engine() -> Iterator[Engine]:
    made = Engine()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.end.set()
        made.server.shutdown()
        made.server.server_close()
        thread.join()


def _json(value: object, status: int = 200) -> tuple[int, bytes, str]:
    return status, json.dumps(value).encode(), "application/json"


def _error(message: str, status: int = 404) -> tuple[int, bytes, str]:
    return _json({"message": message}, status)


def _chunks(file: Any) -> Iterator[bytes]:
    while size := int(file.readline(), 16):
        yield file.read(size)
        file.readline()
    file.readline()


def _tar(files: dict[str, bytes], links: dict[str, str], hard_links: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        root = tarfile.TarInfo("output")
        root.type = tarfile.DIRTYPE
        archive.addfile(root)
        for name, data in files.items():
            member = tarfile.TarInfo(f"output/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for kind, named in ((tarfile.SYMTYPE, links), (tarfile.LNKTYPE, hard_links)):
            for name, target in named.items():
                link = tarfile.TarInfo(f"output/{name}")
                link.type, link.linkname = kind, target
                archive.addfile(link)
    return packed.getvalue()
