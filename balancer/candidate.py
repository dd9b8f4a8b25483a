"""A server as a policy sees it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """One server of a snapshot.

    `id` is unique and stable. `seq` is the registration sequence, the stable order of the round-robin kinds. `weight`
    >= 1 is the server's share relative to the others. `active` >= 0 counts the attempts that run there now,
    `capacity` >= 0 how many may run at once. `latency_ms` > 0 is the smoothed service time in milliseconds, None
    while unknown.

    Raises ValueError when weight, active or capacity is out of range.
    """

    id: str
    seq: int
    weight: int = 1
    active: int = 0
    capacity: int = 1
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        if self.weight < 1 or self.active < 0 or self.capacity < 0:
            raise ValueError(f"weight >= 1, active >= 0 and capacity >= 0 are required: {self!r}")

    @property
    def free(self) -> bool:
        """Whether one more attempt fits."""
        return self.active < self.capacity

    @property
    def load(self) -> float:
        """The fraction of the capacity in use; above 1 after a capacity was lowered, infinite without any capacity."""
        return self.active / self.capacity if self.capacity else math.inf

    @property
    def active_per_weight(self) -> float:
        """Running attempts for each unit of weight: what the least-loaded kinds compare."""
        return self.active / self.weight
