"""Amounts of what a machine has and a task needs. 1 GB = 1024 MB = 2**30 bytes everywhere."""

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Resources:
    """Amounts, none negative. `cpu` in cores, `gpu` in GPUs (parts are allowed), the rest in bytes."""

    cpu: float = 0.0
    memory: int = 0
    storage: int = 0
    gpu: float = 0.0
    gpu_memory: int = 0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"{one.name} must be a finite amount, at least 0")

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(*(a + b for a, b in zip(self.amounts, other.amounts, strict=True)))  # type: ignore[arg-type]

    def fits_in(self, room: "Resources") -> bool:
        """True when there is at least as much room of everything."""
        return all(a <= b for a, b in zip(self.amounts, room.amounts, strict=True))

    @property
    def amounts(self) -> tuple[float, int, int, float, int]:
        return (self.cpu, self.memory, self.storage, self.gpu, self.gpu_memory)

    def __bool__(self) -> bool:
        return any(self.amounts)


NOTHING = Resources()
