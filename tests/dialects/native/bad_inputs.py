"""Requests that must be refused, each by a status below 500: (name, method, path, token, body or bytes, headers)."""

import json
from collections.abc import Iterator
from typing import Any

from tests.dialects.native.world import CREATE, REGISTER, START_MS

Case = tuple[str, str, str, str, bytes, dict[str, str]]
JSON = {"Content-Type": "application/json"}
DEEP = json.loads("[" * 40 + "]" * 40)
WRONG = {"string": "x", "number": 1.5, "true": True, "list": [1], "object": {"a": 1}}


def _with(base: dict[str, Any], field: str, value: object) -> bytes:
    return json.dumps({**base, field: value}).encode()


def _without(base: dict[str, Any], field: str) -> bytes:
    return json.dumps({name: value for name, value in base.items() if name != field}).encode()


AMOUNTS: list[object] = [
    {"cpu": 0}, {"cpu": -1}, {"cpu": "2"}, {"gpu": 65_537}, {"memoryMB": 0}, {"memoryMB": 1.5}, {"memoryMB": 2**31},
    {"storageMB": True}, {"gpuMemoryMB": [1]}, [1],
]  # fmt: skip

# field -> the kinds of WRONG that are not wrong for it, and further bad values
CREATE_FIELDS: dict[str, tuple[set[str], list[object]]] = {
    "type": ({"string"}, ["", "x" * 129, "a\nb", "a\x00b"]),
    "priority": (set(), [-1, 11, 100, "1", 10**30, 1.0]),
    "payload": ({"object"}, [DEEP]),
    "capabilities": ({"list"}, [[""], ["x" * 65], ["x"] * 33, [None], [["x"]]]),
    "async": ({"true"}, ["true", 0]),
    "group": ({"string"}, ["", "x" * 65, "a\tb"]),
    "resources": ({"object"}, AMOUNTS),
    "affinity": ({"string"}, ["", "x" * 129]),
    "timeout": ({"number"}, [0, -1, 86_401, "30", 10**400]),
    "deadline": (set(), [-1, 0, 1, 2**63, "2024-01-06", 1.0]),
    "runAt": (set(), [-1, 2**63, "now"]),
}
REGISTER_FIELDS: dict[str, tuple[set[str], list[object]]] = {
    "name": ({"string"}, ["", "x" * 129, "a\rb"]),
    "endpoints": (set(), [{}, {"predict": ""}, {"predict": 1}, {"predict": None}, {"predict": "ftp://x"}]),
    "apiKey": ({"string"}, ["a b", "a\nb", "é", "x" * 4097]),
    "maxConcurrent": (set(), [0, -1, 257, "10"]),
    "capabilities": ({"list"}, [["x"] * 33, [""], [True]]),
    "groups": ({"list"}, [["x"] * 33, [""], [None]]),
    "priority": (set(), [0, -1, 1001]),
    "resources": ({"object"}, AMOUNTS),
    "transport": (set(), ["", "PULL", "pull", "socket"]),  # a server that pulls has no endpoints
}
HEARTBEAT_FIELDS: dict[str, tuple[set[str], list[object]]] = {
    "status": (set(), ["online", "", "HEALTHY"]),
    "activeTasks": (set(), [-1, 10**9]),
    "metrics": (
        {"object"},
        [{str(n): 1 for n in range(65)}, {"x": "y" * 9000}, {"cpu": "x"}, {"memory": True}, {"gpu": [1]}],
    ),
    "bootId": ({"string"}, ["", "x" * 129]),
    "running": ({"list"}, [["x"] * 1025, [""]]),
}
UPDATE_FIELDS: dict[str, tuple[set[str], list[object]]] = {
    "status": (set(), ["PENDING", "CANCELLED", "TIMEOUT", "completed", ""]),
    "progress": ({"number"}, [-1, 101, "5"]),
    "error": ({"string", "object"}, []),
    "retryable": (set(), ["yes"]),
    "attempt": (set(), [0, -1, 2**60]),
}


ASSIGN = {"model": "m", "servers": ["server_x"]}
ASSIGN_FIELDS: dict[str, tuple[set[str], list[object]]] = {
    "model": ({"string"}, ["", "x" * 129, "a\nb"]),
    "servers": (set(), [[], ["no such/id"], ["x"] * 65, [1], ["server_x", "server_x"]]),
    "preload": ({"true"}, ["yes"]),
    "priority": (set(), [-1, 11, "high"]),
}


def _fields(
    operation: tuple[str, str, str], base: dict[str, Any], table: dict[str, tuple[set[str], list[object]]]
) -> Iterator[Case]:
    method, path, token = operation
    for field, (fine, more) in table.items():
        values = [
            *[(kind, value) for kind, value in WRONG.items() if kind not in fine],
            *[(repr(v)[:20], v) for v in more],
        ]
        for name, value in values:
            yield f"{field}={name}", method, path, token, _with(base, field, value), JSON


def _raw() -> Iterator[Case]:
    for name, body in {
        "empty": b"", "list": b"[]", "text": b"hello", "cut": b'{"type":', "nan": b'{"type":"x","priority":NaN}',
        "twice": b'{"priority":1,"priority":2}', "bom": b"\xef\xbb\xbf{}", "latin-1": b'{"type":"\xe9"}',
        "surrogate": b'{"type":"\\ud800"}', "deep": b'{"payload":' + b"[" * 100_000,
        "digits": b'{"priority":' + b"1" * 5000 + b"}", "huge": b'{"payload":"' + b"x" * 1_100_000 + b'"}',
    }.items():  # fmt: skip
        for method, path, token in (
            ("POST", "/api/task", "client-a"), ("POST", "/api/servers", "admin"), ("PUT", "/api/task/{task}", "admin"),
        ):  # fmt: skip
            yield f"{name} to {path}", method, path, token, body, JSON
    for media in ("text/plain", "application/xml", "application/json; charset=utf-16", ""):
        yield f"media {media}", "POST", "/api/task", "client-a", json.dumps(CREATE).encode(), {"Content-Type": media}


def _missing() -> Iterator[Case]:
    for field in ("type", "priority", "payload"):
        yield f"no {field}", "POST", "/api/task", "client-a", _without(CREATE, field), JSON
        yield f"null {field}", "POST", "/api/task", "client-a", _with(CREATE, field, None), JSON
    for field in ("name", "endpoints"):
        yield f"no {field}", "POST", "/api/servers", "admin", _without(REGISTER, field), JSON
    for name, deadline in {"before": START_MS + 1000, "at": START_MS + 2000}.items():
        body = json.dumps({**CREATE, "deadline": deadline, "runAt": START_MS + 2000}).encode()
        yield f"deadline {name} runAt", "POST", "/api/task", "client-a", body, JSON
    yield "no maintenance", "POST", "/api/servers/{server}/maintenance", "admin", b"{}", JSON
    yield "no algorithm", "POST", "/api/stats/load-balancer/algorithm", "admin", b"{}", JSON
    yield "no status", "PUT", "/api/task/{task}", "admin", b"{}", JSON


def _combinations() -> Iterator[Case]:
    for name, body in {
        "result without an end": {"status": "PROCESSING", "result": 1},
        "result of a failure": {"status": "FAILED", "result": 1},
        "error of a success": {"status": "COMPLETED", "error": "x"},
        "retryable success": {"status": "COMPLETED", "retryable": True},
        "progress with an error": {"progress": 1, "error": "x"},
    }.items():
        yield name, "PUT", "/api/task/{task}", "admin", json.dumps(body).encode(), JSON
    for name, reason in {"long": "x" * 501, "number": 1}.items():
        body = {"maintenance": True, "reason": reason}
        yield f"reason {name}", "POST", "/api/servers/{server}/maintenance", "admin", json.dumps(body).encode(), JSON
    for verb in ("pause", "resume"):
        path = f"/api/task/{{task}}/{verb}"
        for name, raw, headers in (
            ("long", json.dumps({"reason": "x" * 1001}).encode(), JSON), ("number", b'{"reason":1}', JSON),
            ("list", b"[]", JSON), ("no json", b"{}", {"Content-Type": "text/plain"}),
        ):  # fmt: skip
            yield f"{verb} {name}", "POST", path, "client-a", raw, headers
        yield f"{verb} of nothing", "POST", f"/api/task/task_x/{verb}", "client-a", b"", {}
    yield "pause at a server that cannot be told", "POST", "/api/task/{task}/pause", "client-a", b"", {}
    for value in WRONG.values():
        if value is not True:
            body = {"maintenance": value}
            yield (
                f"maintenance {value}",
                "POST",
                "/api/servers/{server}/maintenance",
                "admin",
                json.dumps(body).encode(),
                JSON,
            )
        body = {"algorithm": value}
        yield (
            f"algorithm {value}",
            "POST",
            "/api/stats/load-balancer/algorithm",
            "admin",
            json.dumps(body).encode(),
            JSON,
        )


def _queries_and_headers() -> Iterator[Case]:
    for query in (
        "status=DONE", "status=pending", "limit=0", "limit=1001", "limit=x", "limit=-1", "offset=-1", "offset=1e3",
        "all=yes",         "limit=1&limit=2", "status=FAILED&status=FAILED", "offset=99999999999", "limit=%00", "all=",
    ):  # fmt: skip
        yield query, "GET", f"/api/tasks?{query}", "client-a", b"", {}
    for query in ("status=up", "status=ONLINE", "limit=0", "offset=x", "group=a&group=b"):
        yield f"servers {query}", "GET", f"/api/servers?{query}", "admin", b"", {}
    for since in ("x", "-1", "1e3", "9" * 16, "1&since=2"):
        yield f"since {since}", "GET", f"/api/servers/{{server}}/telemetry?since={since}", "admin", b"", {}
    yield "no control channel", "POST", "/api/servers/{server}/restart", "admin", b"", {}
    for date in ("x", "2024-02-30", "2024-1-1", "%00", "2024-01-06T00:00:00", "99999-01-01"):
        yield f"date {date}", "GET", f"/api/stats/tasks?date={date}", "client-a", b"", {}
    for key in ("", "k" * 256, "a\tb", "\xe9"):
        body = json.dumps(CREATE).encode()
        yield f"key {key[:9]!r}", "POST", "/api/task", "client-a", body, {**JSON, "Idempotency-Key": key}
    for attempt in ("x", "-1", "1.0"):
        yield (
            f"attempt {attempt}",
            "PUT",
            "/api/task/{task}",
            "admin",
            b'{"progress":1}',
            {**JSON, "X-Attempt": attempt},
        )
    yield "two attempts", "PUT", "/api/task/{task}", "admin", b'{"progress":1,"attempt":1}', {**JSON, "X-Attempt": "2"}
    for budget in ("0", "x", "99999"):
        yield f"budget {budget}", "POST", f"/internal/tick?budget_ms={budget}", "admin", b"", {}


def _paths() -> Iterator[Case]:
    for bad in ("x%00y", "%0a", "a b", "x" * 300, "%F0%9F%98%80", "..", "task_%2e", "{id}", "%ff", "*"):
        yield f"task {bad[:9]}", "GET", f"/api/task/{bad}", "client-a", b"", {}
        yield f"server {bad[:9]}", "GET", f"/api/servers/{bad}", "admin", b"", {}
        yield f"operation {bad[:9]}", "GET", f"/api/operations/{bad}", "admin", b"", {}
        yield f"restart {bad[:9]}", "POST", f"/api/servers/{bad}/restart", "admin", b"", {}
        yield f"stats {bad[:9]}", "GET", f"/api/stats/servers/{bad}", "client-a", b"", {}
    for method, path in (
        ("PATCH", "/api/task"), ("GET", "/api/task"), ("DELETE", "/api/tasks"), ("OPTIONS", "/api/servers"),
        ("POST", "/docs"), ("PUT", "/openapi.json"), ("GET", "/nowhere"), ("GET", "/api/task/"), ("GET", "/api//task"),
        ("GET", "/ws"), ("BREW", "/health"), ("GET", "/api/tasks/x/y"),
    ):  # fmt: skip
        yield f"{method} {path}", method, path, "admin", b"", {}


CASES: list[Case] = [
    *_fields(("POST", "/api/task", "client-a"), CREATE, CREATE_FIELDS),
    *_fields(("POST", "/api/servers", "admin"), REGISTER, REGISTER_FIELDS),
    *_fields(("POST", "/api/servers/{server}/heartbeat", "admin"), {}, HEARTBEAT_FIELDS),
    *_fields(("POST", "/api/models/assign", "admin"), ASSIGN, ASSIGN_FIELDS),
    *_fields(("POST", "/api/models/unload", "admin"), ASSIGN, {"force": ({"true"}, ["yes"])}),
    *_fields(("PUT", "/api/task/{task}", "admin"), {}, UPDATE_FIELDS),
    *_raw(), *_missing(), *_combinations(), *_queries_and_headers(), *_paths(),
]  # fmt: skip
