"""The predict call: how a task is put into one HTTP request.

POST endpoints.predict
Authorization: Bearer <api key of the server>
X-Task-Id, X-Attempt, X-Callback-Url, X-Callback-Token, X-Deadline-Ms (what remains), Idempotency-Key, traceparent
{"taskId", "type", "priority", "payload", "capabilities", "attempt"}
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from dispatcher.domain.grant import Grant
from dispatcher.domain.task import POINTS_PER_LEVEL

JSON_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # so that the limit on the answer's size means what it says
    "User-Agent": "edge-dispatcher",
}
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def spec_of(grant: Grant) -> Mapping[str, Any]:
    """The dialect's own small object; empty when it is none."""
    try:
        spec = json.loads(grant.spec)
    except ValueError:
        return {}
    return spec if isinstance(spec, dict) else {}


def predict_headers(
    grant: Grant,
    spec: Mapping[str, Any],
    *,
    callback_url: str,
    callback_token: str,
    remaining_ms: int,
    entropy: Callable[[int], bytes],
) -> dict[str, str]:
    """All headers but Authorization."""
    return JSON_HEADERS | {
        "X-Task-Id": grant.task_id,
        "X-Attempt": str(grant.fence),
        "X-Callback-Url": callback_url,
        "X-Callback-Token": callback_token,
        "X-Deadline-Ms": str(remaining_ms),
        "Idempotency-Key": grant.task_id,
        "traceparent": traceparent(spec.get("traceparent"), entropy),
    }


def traceparent(given: object, entropy: Callable[[int], bytes]) -> str:
    """The caller's trace context (W3C Trace Context, version 00) when it holds, else the start of a new trace."""
    if isinstance(given, str) and _TRACEPARENT.fullmatch(given):
        return given
    return f"00-{entropy(16).hex()}-{entropy(8).hex()}-01"


def predict_body(grant: Grant, spec: Mapping[str, Any]) -> bytes:
    """The body. The payload's bytes are put in as they came: never parsed, never spelled anew."""
    priority = spec.get("priority", grant.points / POINTS_PER_LEVEL)
    if isinstance(priority, float) and priority.is_integer():
        priority = int(priority)
    head = _members(taskId=grant.task_id, type=grant.type, priority=priority)
    tail = _members(capabilities=spec.get("capabilities", []), attempt=grant.fence)
    return b"{" + head + b',"payload":' + (grant.payload or b"null") + b"," + tail + b"}"


def _members(**values: object) -> bytes:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")[1:-1]
