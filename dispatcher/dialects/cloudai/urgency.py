"""What a k_value means for the order of tasks."""

LEAST, MOST, USUAL = 1.5, 2.5, 2.0


def urgency(k_value: float) -> float:
    """The core's points, 10 to 90: the higher the k_value, the more urgent.

    Linear, so that no two are the same; to turn the direction round, change the sign of the slope.
    """
    return 50 + 80 * (k_value - USUAL)
