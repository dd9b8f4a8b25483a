"""What workers say of their load: samples, and means of the fleet by the minute and by the hour. Pure."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dispatcher.domain.server import Server
from dispatcher.domain.stats import Counts

SAMPLES_KEPT = 720  # of one server, and none older than an hour
SAMPLES_APART_MS = 1_000  # a heartbeat that follows sooner (a repeated one) is no second sample
SAMPLE_LIFE_MS = 3_600_000
GPUS_MOST = 2_048  # bytes of JSON that are kept with a sample
DIGITS_MOST = 308  # a whole number of more is no double


def read_metrics(text: str) -> dict[str, Any]:
    """The metrics of a heartbeat (JSON); empty for what is no object. A number beyond a double is None: it says
    nothing, and who reads our answers may not understand it."""
    try:
        told = json.loads(text or "{}", parse_int=_whole, parse_float=_finite, parse_constant=lambda name: None)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits.lstrip("-")) <= DIGITS_MOST else None


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def told_amount(value: object, below: float = 2**53) -> float | None:
    """A number that a worker told, from 0 to `below`; None for whatever else it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < below:
        return None
    return value


def told_percent(value: object) -> float | None:
    """A percentage that a worker told, brought within 0..100; None for what is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:  # NaN
        return None
    return round(float(min(max(value, 0), 100)), 2)


@dataclass(frozen=True, slots=True)
class Usage:
    """Percentages 0..100, None where not told. `gpus` is a JSON array with whatever the worker says of each GPU, empty
    when it says nothing or too much."""

    cpu: float | None = None
    memory: float | None = None
    gpu: float | None = None
    gpus: str = ""
    storage: float | None = None

    @classmethod
    def of(cls, metrics: str) -> "Usage | None":
        """From the metrics of a heartbeat (JSON): its numbers `cpu`, `memory`, `gpu`, `storage` and its list `gpus`;
        None when it tells none of them."""
        told = read_metrics(metrics)
        cpu, memory, gpu, storage = (told_percent(told.get(name)) for name in ("cpu", "memory", "gpu", "storage"))
        found = cls(cpu, memory, gpu, _gpus(told.get("gpus")), storage)
        return None if found == cls() else found


def _gpus(value: object) -> str:
    text = json.dumps(value, separators=(",", ":")) if isinstance(value, list) else ""
    return text if len(text) <= GPUS_MOST else ""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a worker said at one time (epoch ms of the store)."""

    at_ms: int
    usage: Usage


def newest(server: Server) -> Sample:
    """What a server said last; without any figure when it said nothing."""
    return Sample(server.last_seen_ms, Usage.of(server.metrics) or Usage())


@dataclass(frozen=True, slots=True)
class Mean:
    """A sum of percentages in hundredths, and of how many: sums of whole numbers add up the same in every order."""

    total: int = 0
    count: int = 0

    @property
    def value(self) -> float | None:
        return self.total / self.count / 100 if self.count else None

    def __add__(self, other: "Mean") -> "Mean":
        return Mean(self.total + other.total, self.count + other.count)


class Step(StrEnum):
    """The length of a bucket. Minutes are kept for 48 hours."""

    MINUTE = "minute"
    HOUR = "hour"

    @property
    def ms(self) -> int:
        return 60_000 if self is Step.MINUTE else 3_600_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened to the tasks of an origin from `start_ms` on, and how loaded the whole fleet was then."""

    start_ms: int
    counts: Counts = field(default_factory=Counts)
    cpu: Mean = field(default_factory=Mean)
    memory: Mean = field(default_factory=Mean)
    gpu: Mean = field(default_factory=Mean)


class Timeframe(StrEnum):
    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def buckets(self) -> tuple[Step, int]:
        """The step that it is looked at in, and how many of them."""
        return _BUCKETS[self]


_BUCKETS = {
    Timeframe.HOUR: (Step.MINUTE, 60),
    Timeframe.DAY: (Step.MINUTE, 1_440),
    Timeframe.WEEK: (Step.HOUR, 168),
    Timeframe.MONTH: (Step.HOUR, 720),
}


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentages: the mean of all samples, the highest and the lowest mean of a bucket."""

    average: float
    peak: float
    minimum: float


@dataclass(frozen=True, slots=True)
class Window:
    """A timeframe in figures. `peak_per_minute` is the most tasks that completed or failed in a minute; over more than
    48 hours the busiest hour's average. A spread is None when nobody told anything."""

    timeframe: Timeframe
    counts: Counts
    peak_per_minute: float
    cpu: Spread | None
    memory: Spread | None
    gpu: Spread | None
    buckets: tuple[Bucket, ...]


def summarise(timeframe: Timeframe, buckets: Sequence[Bucket]) -> Window:
    """The figures of a timeframe from its buckets."""
    step, _ = timeframe.buckets
    most = max((b.counts.completed + b.counts.failed for b in buckets), default=0)
    return Window(
        timeframe=timeframe,
        counts=sum((b.counts for b in buckets), Counts()),
        peak_per_minute=most * 60_000 / step.ms,
        cpu=_spread([b.cpu for b in buckets]),
        memory=_spread([b.memory for b in buckets]),
        gpu=_spread([b.gpu for b in buckets]),
        buckets=tuple(buckets),
    )


def _spread(means: Sequence[Mean]) -> Spread | None:
    values = [mean.value for mean in means if mean.value is not None]
    average = sum(means, Mean()).value
    return Spread(average, max(values), min(values)) if average is not None else None
