"""What workers said of their load, as the in-memory store keeps it."""

from collections import defaultdict, deque

from dispatcher.domain.telemetry import SAMPLES_APART_MS, SAMPLES_KEPT, Mean, Sample, Step, Usage


class Samples:
    def __init__(self) -> None:
        self.of: dict[str, deque[Sample]] = defaultdict(lambda: deque(maxlen=SAMPLES_KEPT))
        self.means: dict[tuple[Step, int, str], Mean] = defaultdict(Mean)  # step, its number, measure

    def add(self, server_id: str, usage: Usage | None, now_ms: int) -> None:
        """A heartbeat that told of the load."""
        kept = self.of[server_id]
        if usage is None or (kept and now_ms - kept[-1].at_ms < SAMPLES_APART_MS):
            return
        kept.append(Sample(now_ms, usage))
        for name in ("cpu", "memory", "gpu"):
            value = getattr(usage, name)
            if value is not None:
                for step in Step:
                    self.means[step, now_ms // step.ms, name] += Mean(round(value * 100), 1)

    def forget(self, server_id: str) -> None:
        """It was unregistered; its share of the fleet's means stays."""
        self.of.pop(server_id, None)
