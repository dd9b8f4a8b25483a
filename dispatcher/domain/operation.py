"""Work on the fleet that outlives the request that asked for it. Times are epoch milliseconds of the store."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

LIVE_MOST = 256  # running at once in a namespace
LISTED_MOST = 512  # the newest, running or not


class OperationKind(StrEnum):
    RESTART = "restart"
    LOAD = "load"
    UNLOAD = "unload"
    REBALANCE = "rebalance"


class OperationState(StrEnum):
    PLANNED = "planned"  # a dry run: kept to be read, never run
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self is not OperationState.RUNNING


class StepState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (StepState.DONE, StepState.FAILED)

    @property
    def rank(self) -> int:
        """A step only moves on to a higher rank."""
        return {StepState.WAITING: 0, StepState.RUNNING: 1}.get(self, 2)


@dataclass(frozen=True, slots=True)
class NewStep:
    """One thing that one worker is to do. `args` is a JSON object."""

    verb: str
    server_id: str
    args: str = "{}"


@dataclass(frozen=True, slots=True)
class NewOperation:
    """An operation under an id that its maker chose: the same id again is the same operation.

    `guard` names what only one running operation may work on ("" for none). It fails when it has not ended `for_ms`
    after it began. In `sequence` a step begins when the one before has ended; otherwise all begin at once. It has
    failed when one of its steps has.
    """

    id: str
    kind: OperationKind
    actor: str  # who asked for it
    steps: tuple[NewStep, ...]
    for_ms: int
    guard: str = ""
    sequence: bool = False
    dry_run: bool = False
    note: str = ""  # a word of its maker's


@dataclass(frozen=True, slots=True)
class Step:
    verb: str
    server_id: str
    args: str
    state: StepState = StepState.WAITING
    error: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as the store knows it."""

    id: str
    kind: OperationKind
    state: OperationState
    actor: str
    steps: tuple[Step, ...]
    started_ms: int
    deadline_ms: int
    guard: str = ""
    sequence: bool = False
    ended_ms: int | None = None
    note: str = ""
    error: str = ""
    now_ms: int = field(default=0, compare=False)  # when the store said so

    @property
    def why(self) -> str:
        """Why it failed: of a rebalance also how many of its moves were not made."""
        moves = list(zip(self.steps[::2], self.steps[1::2], strict=False))
        over = self.state is OperationState.FAILED and all(step.state.ended for step in self.steps)
        if self.kind is not OperationKind.REBALANCE or not over:
            return self.error
        failed = sum(1 for move in moves if StepState.FAILED in (step.state for step in move))
        return f"{failed} of {len(moves)} moves failed: {self.error}"

    @property
    def part_ms(self) -> int:
        """What each step may take: the steps of a rebalance are made one after another."""
        steps = len(self.steps) if self.kind is OperationKind.REBALANCE else 1
        return (self.deadline_ms - self.started_ms) // max(steps, 1)

    def over_ms(self, place: int) -> int:
        """When a step is over its time. One before it that took less leaves it the rest."""
        turn = place + 1 if self.kind is OperationKind.REBALANCE else 1
        return self.started_ms + turn * self.part_ms

    def due(self) -> Iterator[int]:
        """The places of the steps that are to be worked on now."""
        if self.state is OperationState.RUNNING:
            for place, step in enumerate(self.steps):
                if not step.state.ended:
                    yield place
                    if self.sequence:
                        return


def command_id(operation_id: str, place: int) -> str:
    """The id of the command that a step sends its worker."""
    return f"{operation_id}-{place}"


def place_of(command: str) -> int:
    """The place of the step that sent a command of an operation."""
    return int(command.rpartition("-")[2])


def operation_of(command: str) -> str:
    """The operation that a command belongs to; some other word for a command of none."""
    return command.rpartition("-")[0]
