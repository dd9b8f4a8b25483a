"""What an operator may set about the job queue."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ORIGIN = "jobs"
BASE = "/api/v1"
KIND = "binary"
PRIORITIES = ("foreground", "background", "best_effort")  # the most urgent first
POINTS = {"foreground": 90, "background": 50, "best_effort": 10}
APART_MS = 366 * 86_400_000  # longer than any job may wait: one class goes before the next, always


@dataclass(frozen=True, slots=True)
class JobsOptions:
    """Durations in milliseconds, sizes in bytes.

    aging_ms       0: strict priorities; else the waiting time that one class is worth
    waiting_ms     how long a job may wait for its first start; None = for ever
    runtime_ms     how long one execution may take; 0 = for ever
    lease_ms       an executor that is silent for so long loses its job, and is no longer active
    forget_ms      an executor that was not heard of for so long is forgotten; 0: never
    wait_max_ms    the longest wait of one claim
    report_max     the largest body of a report, and of a bulk submit
    open_metrics   the metrics need no token
    tenant_weights share of each tenant in the fair order; 1 for those not named
    docs           serve /docs and /openapi.json
    """

    aging_ms: int = 0
    waiting_ms: int | None = 86_400_000
    runtime_ms: int = 0
    lease_ms: int = 60_000
    forget_ms: int = 86_400_000
    wait_max_ms: int = 30_000
    report_max: int = 16_777_216
    open_metrics: bool = False
    tenant_weights: Mapping[str, int] = field(default_factory=dict)
    docs: bool = True

    def boost_ms(self, priority: str) -> int:
        """What a priority is worth in waiting time."""
        steps = len(PRIORITIES) - 1 - PRIORITIES.index(priority)
        return steps * (self.aging_ms or APART_MS)
