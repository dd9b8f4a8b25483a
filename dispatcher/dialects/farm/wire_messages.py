"""What the server says to a client over the WebSocket. Pure."""

import json
from dataclasses import dataclass
from typing import Any

from dispatcher.dialects.farm.errors import code_of, error_body
from dispatcher.dialects.farm.messages import TaskResult
from dispatcher.domain.errors import DispatchError
from dispatcher.domain.failure import WORKER_FAILED, Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.service.sessions import Control
from dispatcher.web.answer import encode_json
from dispatcher.web.times import iso

SAME = "reported"  # two reports of one end are the same, whatever they bring: the first one counts
KEPT_ERROR = 4_000  # characters


@dataclass(frozen=True, slots=True)
class Master:
    """Where the first of several clients listens for the others."""

    address: str
    port: int


def task_message(grant: Grant, master: Master | None, now_ms: int) -> str:
    asked = json.loads(grant.payload)
    config: dict[str, Any] = {
        "distributed": False,
        **asked["config"],
        "rank": grant.rank,
        "world_size": grant.gang,
        "attempt": grant.fence,
    }
    if master is not None:
        config |= {"master_addr": master.address, "master_port": master.port}
    if grant.checkpoint:
        config["checkpoint_path"] = grant.checkpoint
    data = {"id": grant.task_id, "type": grant.type, "config": config, "requirements": asked["requirements"]}
    return _message("task", now_ms, data=data)


def control_message(action: Control, task_id: str, now_ms: int) -> str:
    return _message("control", now_ms, action=action.value, task_id=task_id)


def ack_message(task_id: str, now_ms: int, refused: DispatchError | None = None) -> str:
    if refused is None:
        return _message("task_result_ack", now_ms, task_id=task_id, received=True)
    return _message("task_result_ack", now_ms, task_id=task_id, received=False, reason=code_of(refused))


def error_message(error: DispatchError, request_id: str, now_ms: int) -> str:
    return _message("error", now_ms, data=error_body(error, request_id))


def _message(kind: str, now_ms: int, **members: Any) -> str:
    return encode_json({"type": kind, **members, "timestamp": iso(now_ms)}).decode()


def outcome_of(result: TaskResult) -> Outcome:
    """A client that stopped by itself hands its task back."""
    if result.status == "stopped":
        return Outcome(Verdict.RELEASED, digest=SAME, text="The client stopped")
    brought = {"metrics": result.metrics, "checkpoint_path": result.checkpoint_path}
    kept = encode_json(brought)
    if result.status == "completed":
        return Outcome(Verdict.COMPLETED, kept, SAME)
    text = (result.error or "The client reported a failure")[:KEPT_ERROR]
    return Outcome(Verdict.FAILED, kept, SAME, code=WORKER_FAILED, text=text)
