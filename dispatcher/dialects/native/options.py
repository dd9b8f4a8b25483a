"""What an operator may set about the native API."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ORIGIN = "native"
TASK_PATH = "/api/task/{id}"
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class NativeOptions:
    """Durations in the unit of their name.

    aging_ms          what one priority level is worth in waiting time
    timeout_ms        of one attempt, when the task names none
    waiting_ms        how long a task may wait for its first start, from create or runAt; None = for ever
    sync_limit_ms     the longest wait of one request
    claim_lease_ms    of a task that a server has claimed; its heartbeats and reports renew it
    heartbeat_ms      how often a worker is asked to be heard on its socket, at most a third of its lease; silent for
                      three, it is closed
    attempts_max      attempts before a failing task ends
    tenant_weights    share of each tenant in the fair order; 1 for those not named
    file_max          bytes of the largest file that is taken in
    streams           log streams that a principal may have open at a gateway
    stream_ping_ms    silence of a stream after which a comment is sent
    stream_stall_ms   how long the reader of a stream may take nothing of what it is sent
    docs              serve /docs and /openapi.json
    """

    aging_ms: int = 60_000
    timeout_ms: int = 300_000
    waiting_ms: int | None = DAY_MS
    sync_limit_ms: int = 25_000
    claim_lease_ms: int = 30_000
    heartbeat_ms: int = 10_000
    attempts_max: int = 3
    tenant_weights: Mapping[str, int] = field(default_factory=dict)
    file_max: int = 1 << 30
    streams: int = 1000
    stream_ping_ms: int = 15_000
    stream_stall_ms: int = 10_000
    docs: bool = True
