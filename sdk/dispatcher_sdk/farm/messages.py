"""The messages of the AI Farm socket: flat, as the document's examples show them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dispatcher_sdk import _json
from dispatcher_sdk.farm.task import FarmTask, Report

LARGEST = 16_384  # bytes of metrics; the gateway keeps them with every point of the task's history


def encode(message: Mapping[str, Any], client_id: str) -> str:
    """The text of a message of this client, stamped with the time in whole seconds."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _json.dumps({**message, "client_id": client_id, "timestamp": stamp}).decode()


def decode(text: str | bytes) -> dict[str, Any]:
    """A message of the gateway. Raises ValueError for anything but a JSON object."""
    message = _json.loads(text if isinstance(text, bytes) else text.encode())
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message


def data(message: Mapping[str, Any]) -> dict[str, Any]:
    """The nested part of a message, empty where there is none."""
    nested = message.get("data")
    return nested if isinstance(nested, dict) else {}


def assignment(message: Mapping[str, Any], report: Report) -> FarmTask:
    """The task of a `task` message. Raises ValueError for one without an id or with a configuration of another kind."""
    fields = data(message)
    task_id, config, requirements = fields.get("id"), fields.get("config") or {}, fields.get("requirements") or {}
    if not isinstance(task_id, str) or not isinstance(config, dict) or not isinstance(requirements, dict):
        raise ValueError("a task has an id, a config and requirements")
    kind = str(fields.get("type", "training"))
    return FarmTask(task_id, type=kind, config=config, requirements=requirements, report=report)


def progress(task: FarmTask, percent: float, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """How far a task is."""
    return _about(task, {"type": "task_progress", "progress": percent, "metrics": finite(metrics)})


def result(task: FarmTask, status: str, metrics: Mapping[str, Any], error: str | None = None) -> dict[str, Any]:
    """How a task ended: `status` is completed, failed or stopped."""
    message = _about(task, {"type": "task_result", "status": status, "metrics": finite(metrics)})
    return message if error is None else {**message, "error": error}


def finite(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics in their JSON form, without NaN and infinity, which JSON does not know.

    Raises TypeError for a value without such a form, ValueError when they are larger than 16 KiB.
    """
    kept = {name: value for name, value in metrics.items() if not _endless(value)}
    text = _json.dumps(kept)
    if len(text) > LARGEST:
        raise ValueError(f"metrics have to fit in {LARGEST} bytes")
    plain: dict[str, Any] = _json.loads(text)
    return plain


def _about(task: FarmTask, message: dict[str, Any]) -> dict[str, Any]:
    """With what says which task and attempt it is about; the checkpoint and the attempt only where known."""
    known = {"task_id": task.id, "checkpoint_path": task.checkpoint_path, "attempt": task.attempt}
    return {**message, **{name: value for name, value in known.items() if value is not None}}


def _endless(value: Any) -> bool:
    try:
        return not math.isfinite(value)
    except (TypeError, OverflowError):
        return False
