"""A small labelled data set, the same for the same seed."""

import random
from dataclasses import dataclass

ROWS = 600
FEATURES = 8
NOISE = 0.3


@dataclass(frozen=True)
class Row:
    """One example: its features, and the label 0 or 1."""

    features: tuple[float, ...]
    label: int


def generate(seed: int, rows: int = ROWS) -> list[Row]:
    """`rows` points of a cube, divided by a plane through its middle, with some noise at the border."""
    rng = random.Random(f"data:{seed}")  # noqa: S311 - not cryptography
    plane = [rng.uniform(-1, 1) for _ in range(FEATURES)]
    made = []
    for _ in range(rows):
        features = tuple(rng.uniform(-1, 1) for _ in range(FEATURES))
        side = sum(weight * value for weight, value in zip(plane, features, strict=True))
        made.append(Row(features, int(side + rng.uniform(-NOISE, NOISE) > 0)))
    return made
