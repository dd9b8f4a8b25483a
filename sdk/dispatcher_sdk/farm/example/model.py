"""Logistic regression, trained with mini-batch gradient descent. Every sum is formed in a fixed order."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dispatcher_sdk.farm.example.data import FEATURES, Row

TINY = 1e-12  # keeps the logarithm of a probability finite


@dataclass(frozen=True)
class Settings:
    """What decides the weights, together with the data. Raises ValueError for a number out of its range."""

    epochs: int = 10
    learning_rate: float = 0.1
    batch_size: int = 32
    seed: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError("epochs and batch_size are at least 1")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError("learning_rate is a positive number")


@dataclass
class Model:
    """The weights of the features, and the bias."""

    weights: list[float]
    bias: float = 0.0

    @classmethod
    def fresh(cls) -> "Model":
        """A model that has learned nothing."""
        return cls([0.0] * FEATURES)

    def probability(self, row: Row) -> float:
        """How likely the label is 1."""
        total = self.bias
        for weight, value in zip(self.weights, row.features, strict=True):
            total += weight * value
        if total < 0:  # the exponent stays negative, so it cannot overflow
            power = math.exp(total)
            return power / (1.0 + power)
        return 1.0 / (1.0 + math.exp(-total))

    def learn(self, batch: Sequence[Row], rate: float) -> None:
        """One step down the gradient of the batch."""
        slopes, lean = [0.0] * len(self.weights), 0.0
        for row in batch:
            error = self.probability(row) - row.label
            lean += error
            for index, value in enumerate(row.features):
                slopes[index] += error * value
        scale = rate / len(batch)
        self.bias -= scale * lean
        self.weights = [weight - scale * slope for weight, slope in zip(self.weights, slopes, strict=True)]

    def score(self, rows: Sequence[Row]) -> tuple[float, float]:
        """Mean loss (cross entropy), and the fraction of the rows that it gets right."""
        loss, right = 0.0, 0
        for row in rows:
            likely = self.probability(row)
            loss -= math.log(max(TINY, likely if row.label else 1.0 - likely))
            right += (likely > 0.5) == bool(row.label)
        return loss / len(rows), right / len(rows)


def batches(rows: Sequence[Row], settings: Settings, epoch: int) -> Iterator[list[Row]]:
    """The rows of an epoch. Their order comes from seed and epoch alone, not from the epochs before: a training that
    goes on from a checkpoint sees what it would have seen."""
    order = list(rows)
    random.Random(f"{settings.seed}:{epoch}").shuffle(order)  # noqa: S311 - not cryptography
    for start in range(0, len(order), settings.batch_size):
        yield order[start : start + settings.batch_size]
