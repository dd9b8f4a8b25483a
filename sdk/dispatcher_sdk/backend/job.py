"""One piece of work as it arrives, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatcher_sdk import _json


@dataclass(frozen=True)
class Callback:
    """Where and with which secret this attempt reports."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Job:
    """A task's attempt. `deadline` is epoch ms; `key` names the work over all attempts."""

    task_id: str
    attempt: int
    type: str
    payload: Any = field(repr=False)
    key: str
    priority: int | None = None
    capabilities: tuple[str, ...] = ()
    deadline: int | None = None
    callback: Callback | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How a call ended, as an HTTP status with a JSON body. 200: the body is the result."""

    status: int
    body: bytes = field(repr=False)
    error: str | None = None

    @classmethod
    def refused(cls, status: int, error: str) -> "Outcome":
        """Anything but a result."""
        return cls(status, _json.dumps({"error": error}), error)


class BadJob(ValueError):
    """A request that is no job."""


def decode(headers: Mapping[str, str], body: bytes, now_ms: int) -> Job:
    """The job in a predict request that arrived at `now_ms`; raises BadJob."""
    try:
        fields = _json.loads(body)
        task_id = fields["taskId"]
        attempt = fields.get("attempt", 1)
        capabilities = fields.get("capabilities") or ()
        remaining = headers.get("x-deadline-ms")
        deadline = None if remaining is None else now_ms + int(remaining)
        kind = fields["type"]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadJob("expected a JSON object with taskId, type and payload") from None
    if not (isinstance(task_id, str) and task_id and isinstance(kind, str) and isinstance(attempt, int)):
        raise BadJob("taskId and type have to be strings, attempt a number")
    url, token = headers.get("x-callback-url"), headers.get("x-callback-token")
    return Job(
        task_id=task_id,
        attempt=attempt,
        type=kind,
        payload=fields.get("payload"),
        key=headers.get("idempotency-key") or task_id,
        priority=fields.get("priority"),
        capabilities=tuple(map(str, capabilities)),
        deadline=deadline,
        callback=Callback(url, token) if url and token else None,
        traceparent=headers.get("traceparent"),
    )
