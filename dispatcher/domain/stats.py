"""Counted facts. Ratios are made at the edge, and 0/0 is 0."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in one span of time (an hour, a day, or ever).

    `failed` counts ends as FAILED or TIMEOUT, `reopened` explicit retries, `attempt_failures` attempts that failed
    whatever became of the task. `duration_ms` sums start to end of the `timed` attempts that ended a task.
    """

    created: int = 0
    reopened: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    attempt_failures: int = 0
    timed: int = 0
    duration_ms: int = 0

    @property
    def ended(self) -> int:
        return self.completed + self.failed + self.cancelled

    @property
    def average_ms(self) -> int:
        return round(self.duration_ms / self.timed) if self.timed else 0

    @property
    def success_rate(self) -> float:
        judged = self.completed + self.failed
        return self.completed / judged if judged else 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, f) + getattr(other, f) for f in COUNT_FIELDS))


COUNT_FIELDS = (
    "created",
    "reopened",
    "completed",
    "failed",
    "cancelled",
    "attempt_failures",
    "timed",
    "duration_ms",
)


@dataclass(frozen=True, slots=True)
class DayStats:
    """One UTC day of one scope: 24 hours, and what of that day's creations still waits."""

    date: str  # YYYY-MM-DD
    hours: tuple[Counts, ...] = field(default_factory=lambda: (Counts(),) * 24)

    @property
    def total(self) -> Counts:
        return sum(self.hours, Counts())


NO_SERVER = "none"  # ends of tasks that no server had
