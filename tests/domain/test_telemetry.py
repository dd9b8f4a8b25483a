"""What counts as a figure of a load, and windows made of buckets."""

import pytest

from dispatcher.domain.stats import Counts
from dispatcher.domain.telemetry import GPUS_MOST, Bucket, Mean, Spread, Timeframe, Usage, summarise


@pytest.mark.parametrize(
    ("metrics", "usage"),
    [
        ("{}", None),
        ("", None),
        ("[1]", None),
        ("{broken", None),
        ('{"cpu": true, "memory": "60", "gpus": {}}', None),
        ('{"cpu": 1e400, "gpu": NaN}', None),
        ('{"cpu": -5, "memory": 1e30, "gpu": 33.333}', Usage(0.0, 100.0, 33.33)),
        ('{"storage": 71.234}', Usage(storage=71.23)),
        ('{"gpus": [{"t": 1}]}', Usage(gpus='[{"t":1}]')),
        ('{"cpu": 1, "gpus": ["' + "x" * GPUS_MOST + '"]}', Usage(1.0)),
    ],
)
def test_usage_from_a_heartbeat(metrics: str, usage: Usage | None) -> None:
    assert Usage.of(metrics) == usage


def bucket(completed: int, gpu: Mean = Mean()) -> Bucket:  # noqa: B008 - a frozen value
    return Bucket(0, Counts(completed=completed, failed=1), gpu=gpu)


def test_a_window_weighs_samples_and_compares_buckets() -> None:
    window = summarise(Timeframe.DAY, [bucket(9, Mean(30_000, 3)), bucket(4, Mean(2_000, 1)), bucket(0)])
    assert window.gpu == Spread(average=80.0, peak=100.0, minimum=20.0)
    assert (window.cpu, window.peak_per_minute) == (None, 10)
    assert window.counts == Counts(completed=13, failed=3)


def test_hours_make_an_average_minute() -> None:
    assert summarise(Timeframe.WEEK, [bucket(119), bucket(59)]).peak_per_minute == 2.0
