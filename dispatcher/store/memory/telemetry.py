"""Telemetry in dicts."""

from dispatcher.domain.stats import Counts
from dispatcher.domain.telemetry import SAMPLE_LIFE_MS, Bucket, Mean, Sample, Step
from dispatcher.store.memory.counters import origin_scope
from dispatcher.store.memory.state import State


class MemoryTelemetry:
    """Implements `TelemetryStore`."""

    def __init__(self, state: State) -> None:
        self._s = state

    async def samples(self, server_id: str, since_ms: int = 0) -> list[Sample]:
        self._s.server(server_id)
        after = max(since_ms, self._s.now - SAMPLE_LIFE_MS)
        return [sample for sample in self._s.telemetry.of.get(server_id, ()) if sample.at_ms > after]

    async def buckets(self, origin: str, step: Step, count: int) -> list[Bucket]:
        last = self._s.now // step.ms
        return [self._bucket(origin, step, number) for number in range(last - count + 1, last + 1)]

    def _bucket(self, origin: str, step: Step, number: int) -> Bucket:
        counters, means = self._s.counters, self._s.telemetry.means
        if step is Step.MINUTE:
            counts = counters.minutes.get((origin, number), Counts())
        else:
            counts = counters.hours.get((origin_scope(origin), number), Counts())
        cpu, memory, gpu = (means.get((step, number, name), Mean()) for name in ("cpu", "memory", "gpu"))
        return Bucket(number * step.ms, counts, cpu, memory, gpu)
