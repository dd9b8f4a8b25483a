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
    """One entry of the fleet's stream: `task.*`, `server.*`, `balancer.changed`. `id` is its place in the stream.

    Events of tasks carry id, state and rev; `server.connected` has the server's id and the session of its new socket;
    `server` with the state `handed` tells that a rank of a gang waits for that worker's next claim.
    """

    id: str
    type: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def task_id(self) -> str | None:
        """The task that has changed, when it is one."""
        is_task = self.type == "task" or self.type.startswith("task.")
        return self.fields.get("id") if is_task else None


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message to one gateway: `ended <task>`, `cancel <task>`, `wake`."""

    kind: str
    task_id: str = ""
