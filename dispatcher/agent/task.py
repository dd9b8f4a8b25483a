"""A task as it came down, and how it ended."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatcher.agent.options import MB

DEEPEST = 31  # levels of a result; the message around it is one more
LARGEST = sys.float_info.max
Key = tuple[str, int]  # task id, number of the attempt


@dataclass(frozen=True, slots=True)
class Needs:
    """What is kept free for a task; 0 = it asked for nothing. `cpu` in cores, the others in bytes and whole GPUs."""

    cpu: float = 0.0
    memory: int = 0
    storage: int = 0
    gpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Task:
    """The payload may hold secrets."""

    id: str
    attempt: int
    type: str
    kind: str = "predict"
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)
    needs: Needs = field(default_factory=Needs)

    @property
    def key(self) -> Key:
        return self.id, self.attempt


@dataclass(frozen=True, slots=True)
class End:
    """How a task ended: with a result, with an error, or given back (`released`), nothing counted; `declined` says why
    it is for other workers."""

    result: Any = None
    error: str | None = None
    retryable: bool = False
    released: bool = False
    declined: str | None = None

    def message(self, key: Key) -> dict[str, Any]:
        """What the gateway is told."""
        back = self.released or self.declined is not None
        head = {"type": "release" if back else "result", "taskId": key[0], "attempt": key[1]}
        if back:
            return head if self.declined is None else {**head, "declined": plain(self.declined[:1000])}
        error, retryable = self.error, self.retryable
        if error is None and (fault := unsendable(self.result)) is not None:
            error, retryable = f"The result cannot be sent: {fault}", False
        if error is None:
            return {**head, "status": "COMPLETED", "result": self.result}
        return {**head, "status": "FAILED", "error": plain(error[:2000]), "retryable": retryable}


RELEASED = End(released=True)


def unsendable(value: Any, levels: int = DEEPEST) -> str | None:
    """Why the gateway would refuse this as a result; None when it takes it."""
    if isinstance(value, dict | list):
        if levels == 0:
            return f"it is nested deeper than {DEEPEST} levels"
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        return next((fault for one in inner if (fault := unsendable(one, levels - 1)) is not None), None)
    if isinstance(value, str) and plain(value) != value:
        return "a text holds half a character"
    if isinstance(value, int | float) and not -LARGEST <= value <= LARGEST:  # NaN is in no range
        return "a number is none that JSON has"
    return None


def plain(text: str) -> str:
    """What a log or a message can carry: a command may name what is no text."""
    return text.encode("utf-8", "replace").decode()


def decode(fields: Any) -> Task:
    """Raises ValueError for what is no task."""
    if not isinstance(fields, dict):
        raise ValueError("the gateway sent something that is no task")
    name, attempt, payload = fields.get("taskId"), fields.get("attempt"), fields.get("payload")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name) or type(attempt) is not int:
        raise ValueError("the gateway sent something that is no task")
    amounts = fields.get("resources")
    return Task(
        name,
        attempt,
        str(fields.get("type", "")),
        str(fields.get("kind", "predict")),
        payload if isinstance(payload, dict) else {},
        _needs(amounts if isinstance(amounts, dict) else {}),
    )


def _needs(amounts: Mapping[str, Any]) -> Needs:
    def number(name: str) -> float:
        value = amounts.get(name, 0)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0

    return Needs(number("cpu"), int(number("memoryMB") * MB), int(number("storageMB") * MB), number("gpu"))
