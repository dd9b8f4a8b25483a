"""What a running task reports of itself beside its progress."""

from dataclasses import dataclass

from dispatcher.domain.errors import Invalid

METRICS_MAX = 16 << 10  # bytes of one report
CHECKPOINT_MAX = 4_096  # characters
HISTORY_MAX = 256  # points kept of a task


@dataclass(frozen=True, slots=True)
class MetricsPoint:
    """One report with metrics (a JSON object, raw); `progress` as reported, 0..100."""

    at_ms: int
    rank: int
    progress: float
    metrics: bytes


def check_bounds(metrics: bytes | None, checkpoint: str | None) -> None:
    """Raises Invalid when a report holds more than is kept."""
    if metrics is not None and len(metrics) > METRICS_MAX:
        raise Invalid(f"metrics must be at most {METRICS_MAX} bytes", field="metrics")
    if checkpoint is not None and len(checkpoint) > CHECKPOINT_MAX:
        raise Invalid(f"checkpoint must be at most {CHECKPOINT_MAX} characters", field="checkpoint")
