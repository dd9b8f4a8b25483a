"""Telemetry in Redis. Implements `service.ports.TelemetryStore`."""

from typing import Any

from dispatcher.domain.errors import NotFound
from dispatcher.domain.stats import COUNT_FIELDS, Counts
from dispatcher.domain.telemetry import Bucket, Mean, Sample, Step, Usage
from dispatcher.store.reach import reachable
from dispatcher.store.runner import Runner

Raw = dict[bytes, bytes]
_PER_KEY = {Step.MINUTE: 60, Step.HOUR: 24}  # buckets of one hash


class RedisTelemetry:
    """Samples and buckets as the scripts wrote them."""

    def __init__(self, runner: Runner) -> None:
        self._run = runner

    async def samples(self, server_id: str, since_ms: int = 0) -> list[Sample]:
        reply = await self._run.call("telemetry", server_id=server_id, since=since_ms)
        if reply.tag == "not_found":
            raise NotFound(f"Server not found: {server_id}")
        return [_sample(entry, flat) for entry, flat in reply.values[0]]

    async def buckets(self, origin: str, step: Step, count: int) -> list[Bucket]:
        last = (await self._run.call("time")).now_ms // step.ms
        first, size = last - count + 1, _PER_KEY[step]
        groups = range(first // size, last // size + 1)
        pipeline = self._run.client.pipeline(transaction=True)
        for group in groups:
            for key in _keys(origin, step, group):
                pipeline.execute_command("HGETALL", self._run.root + key)
        with reachable():
            answers: list[Any] = await pipeline.execute()
        raw = dict(zip(groups, zip(answers[::2], answers[1::2], strict=True), strict=True))
        return [_bucket(n * step.ms, n % size, *raw[n // size]) for n in range(first, last + 1)]


def _keys(origin: str, step: Step, group: int) -> tuple[str, str]:
    """The hashes with the counts and with the usage of an hour's minutes or a day's hours."""
    if step is Step.MINUTE:
        return f"mn:{origin}:{group}", f"use:m:{group}"
    return f"st:o:{origin}:{group}", f"use:h:{group}"


def _bucket(start_ms: int, place: int, counts: Raw, usage: Raw) -> Bucket:
    counted = Counts(*(int(counts.get(f"{place}:{name}".encode(), 0)) for name in COUNT_FIELDS))
    cpu, memory, gpu = (
        Mean(int(usage.get(f"{place}:{name}".encode(), 0)), int(usage.get(f"{place}:{name}_n".encode(), 0)))
        for name in ("cpu", "memory", "gpu")
    )
    return Bucket(start_ms, counted, cpu, memory, gpu)


def _sample(entry: bytes, flat: list[bytes]) -> Sample:
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    figures = [float(value) if value else None for value in fields[b"u"].decode().split(",")]
    cpu, memory, gpu, storage = (*figures, None)[:4]  # an hour ago storage may not have been among them
    return Sample(int(entry.split(b"-")[0]), Usage(cpu, memory, gpu, fields[b"g"].decode(), storage))
