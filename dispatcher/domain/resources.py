"""Amounts of what a machine has and a task needs. 1 GB = 1024 MB = 2**30 bytes everywhere."""

import math
from dataclasses import dataclass, fields
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Resources:
    """Amounts, none negative. `cpu` in cores, `gpu` in GPUs, both to a thousandth, the rest in bytes.

    Raises ValueError for an amount that is negative or no finite number.
    """

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
        for name in ("cpu", "gpu"):  # so that sums are exact: 0.1 + 0.2 fits in 0.3
            object.__setattr__(self, name, round(getattr(self, name), 3))

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(*(a + b for a, b in zip(self.amounts, other.amounts, strict=True)))  # type: ignore[arg-type]

    def fits_in(self, room: "Resources") -> bool:
        """True when there is at least as much room of everything."""
        return all(a <= b for a, b in zip(self.amounts, room.amounts, strict=True))

    def up_to(self, totals: "Resources", held: "Resources") -> "Resources":
        """As much of it as is left of the totals beside what is held."""
        each = zip(self.amounts, totals.amounts, held.amounts, strict=True)
        return Resources(*(min(a, max(t - h, 0)) for a, t, h in each))  # type: ignore[arg-type]

    @property
    def amounts(self) -> tuple[float, int, int, float, int]:
        return (self.cpu, self.memory, self.storage, self.gpu, self.gpu_memory)

    def __bool__(self) -> bool:
        return any(self.amounts)

    @property
    def shape(self) -> "Resources":
        """Each amount rounded up to the ladder. A larger amount never has a smaller shape: where needs fit in totals,
        the shape of the needs fits in that of the totals."""
        return Resources(
            _rung(self.cpu, SMALLEST_PART), _rung(self.memory, SMALLEST_BYTES), _rung(self.storage, SMALLEST_BYTES),
            _rung(self.gpu, SMALLEST_PART), _rung(self.gpu_memory, SMALLEST_BYTES),
        )  # fmt: skip

    def to_text(self) -> str:
        """Five whole numbers, cpu and gpu in thousandths; empty for nothing."""
        thousandths = (round(self.cpu * 1000), self.memory, self.storage, round(self.gpu * 1000), self.gpu_memory)
        return " ".join(map(str, thousandths)) if self else ""

    @classmethod
    def from_text(cls, text: str) -> "Resources":
        if not text:
            return NOTHING
        cpu, memory, storage, gpu, gpu_memory = map(int, text.split())
        return cls(cpu / 1000, memory, storage, gpu / 1000, gpu_memory)


SMALLEST_PART = 0.125  # of a core or a GPU
SMALLEST_BYTES = 256 << 20


N = TypeVar("N", int, float)


def _rung(amount: N, smallest: N) -> N:
    """The least rung that is not below the amount: 0, then `smallest` times 1, 2, 3, 4, 6, 8, 12, 16 and so on."""
    if amount <= 0:
        return smallest * 0
    times = 1
    while smallest * times < amount:
        times *= 2
    between = times * 3 // 4
    if times >= 4 and smallest * between >= amount:
        times = between
    return smallest * times


NOTHING = Resources()
