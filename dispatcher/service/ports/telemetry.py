"""What workers said of their load. Written with their heartbeats: see `ServerStore.heartbeat`."""

from typing import Protocol

from dispatcher.domain.telemetry import Bucket, Sample, Step


class TelemetryStore(Protocol):
    async def samples(self, server_id: str, since_ms: int = 0) -> list[Sample]:
        """A server's samples after a time, oldest first: at most the newest 720, of the last hour. Raises NotFound."""
        ...

    async def buckets(self, origin: str, step: Step, count: int) -> list[Bucket]:
        """The last `count` buckets, the current one included, oldest first: the tasks of an origin, the usage of the
        whole fleet."""
        ...
