"""What watchers are told. Written by the script that makes the change, so no change goes untold."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatcher.domain.transitions import TaskState


@dataclass(frozen=True, slots=True)
class TaskUpdate:
    """One entry of a task's own short list of updates; `rev` is the task's revision after the change."""

    task_id: str
    rev: int
    state: TaskState
    progress: float
    server_id: str | None
    fence: int
    at_ms: int
    attempt_lives: bool = False


@dataclass(frozen=True, slots=True)
class FleetEvent:
    """One entry of the fleet's stream: `task.*`, `server.*`, `balancer.changed`. `id` is its place in the stream."""

    id: str
    type: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message to one gateway: `ended <task>`, `cancel <task>`, `wake`."""

    kind: str
    task_id: str = ""
