"""Durations and sizes: what is written can be read, and means the same up to its rounding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.dialects.cluster.units import GB, duration, estimate, parse_duration, parse_size, size

YEAR_MS = 366 * 86_400_000

DOCUMENTED = {
    "2.3s": 2_300,
    "1.8s": 1_800,
    "45s": 45_000,
    "90s": 90_000,
    "30s": 30_000,
    "3.2s": 3_200,
    "2m": 120_000,
    "7d 4h 23m": 7 * 86_400_000 + 4 * 3_600_000 + 23 * 60_000,
}


@given(st.integers(0, YEAR_MS))
def test_a_duration_can_be_read_back(ms: int) -> None:
    within = 50 if ms < 60_000 else 500 if ms < 120_000 else 30_000
    assert abs(parse_duration(duration(ms)) - ms) <= within
    assert duration(parse_duration(duration(ms))) == duration(ms)


@given(st.integers(0, YEAR_MS))
def test_an_estimate_can_be_read_back(ms: int) -> None:
    assert abs(parse_duration(estimate(ms)) - ms) <= (500 if ms < 119_500 else 30_000)
    assert "." not in estimate(ms)


@given(st.integers(0, 1 << 50))
def test_a_size_can_be_read_back(amount: int) -> None:
    assert abs(parse_size(size(amount)) - amount) <= GB / 20 + 1
    assert size(parse_size(size(amount))) == size(amount)


def test_the_documented_texts() -> None:
    for text, ms in DOCUMENTED.items():
        assert parse_duration(text) == ms
        assert text in (duration(ms), estimate(ms))
    for text, gigabytes in {"24GB": 24, "6.5GB": 6.5, "0GB": 0}.items():
        assert parse_size(text) == gigabytes * GB
        assert size(gigabytes * GB) == text


@pytest.mark.parametrize(
    ("ms", "measured", "estimated"),
    [
        (0, "0s", "0s"),
        (59_960, "60s", "60s"),
        (90_400, "90s", "90s"),
        (119_600, "2m", "2m"),
        (3_600_000, "1h 0m", "1h 0m"),
        (86_400_000 + 60_000, "1d 0h 1m", "1d 0h 1m"),
    ],
)
def test_the_edges(ms: int, measured: str, estimated: str) -> None:
    assert (duration(ms), estimate(ms)) == (measured, estimated)


def test_other_units_are_read_too() -> None:
    assert parse_duration("250ms") == 250
    assert parse_duration("1h 30s") == 3_630_000
    assert parse_size("512MB") == GB / 2
    assert parse_size("1.5 TB") == 1_536 * GB


@pytest.mark.parametrize("text", ["", "5", "s", "4h 7d", "1s 2s", "-1s", "1,5s", "1e3s", "2m ", "7d4h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="wants parts"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "24", "GB", "24gb", "-1GB", "1.GB", "24 GiB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="wants a number"):
        parse_size(text)
