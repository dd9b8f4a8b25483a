"""What this gateway has seen of the servers' speed."""

from collections import OrderedDict

from balancer import peak_ewma_update

TAU_MS = 10_000.0  # half of an old peak is forgotten after about 7 s of faster answers
MAX_KEPT = 10_000
FAULT_MS, MAX_FAULT_MS = 1_000.0, 60_000.0

_Key = tuple[str, str]


class Latencies:
    """Smoothed service time per (server, task type), in memory: a hint for choices, never needed for correctness.

    The peak-EWMA of Twitter's Finagle. The type "" stands for all types of a server together.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, tuple[float, float]] = OrderedDict()  # -> smoothed ms, monotonic ms of the sample

    def observe(self, server_id: str, task_type: str, ms: float, now_ms: float) -> None:
        """An attempt took `ms` from sending to the answer; `now_ms` is monotonic."""
        for key in {(server_id, task_type), (server_id, "")}:
            old, at = self._kept.get(key, (None, now_ms))
            self._kept[key] = (peak_ewma_update(old, ms, now_ms - at, TAU_MS), now_ms)
            self._kept.move_to_end(key)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def fault(self, server_id: str, task_type: str, now_ms: float) -> None:
        """An attempt failed by the server's fault: counts as slow, or a server that fails fast would look idle."""
        known = self.of(server_id, task_type) or 0.0
        self.observe(server_id, task_type, min(max(2 * known, FAULT_MS), MAX_FAULT_MS), now_ms)

    def of(self, server_id: str, task_type: str = "") -> float | None:
        """Milliseconds for this type, else for all types together, else None."""
        kept = self._kept.get((server_id, task_type)) or self._kept.get((server_id, ""))
        return kept[0] if kept else None
