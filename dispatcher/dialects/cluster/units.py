"""Durations and sizes as people read them: "2.3s", "2m", "7d 4h 23m", "6.5GB". Pure.

What is written here can be read back to within its rounding: a tenth of a second below a minute, a second below two
minutes, a minute above; a tenth of a GB.
"""

import re
from itertools import pairwise

GB = 2**30  # 1 GB = 1024 MB = 2**30 bytes

_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": GB, "TB": 2**40}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(B|KB|MB|GB|TB)")


def duration(ms: float) -> str:
    """A measured duration in milliseconds: tenths of seconds below a minute, whole seconds below two, else minutes,
    hours and days without the parts that are zero at the beginning."""
    tenths = round(ms / 100)
    return f"{_plain(tenths / 10)}s" if tenths < 600 else estimate(ms)


def estimate(ms: float) -> str:
    """An estimated duration: whole seconds below two minutes, else as a measured one."""
    seconds = round(ms / 1_000)
    if seconds < 120:
        return f"{seconds}s"
    minutes = round(ms / 60_000)
    days, hours, left = minutes // 1_440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h"), (left, "m")]
    while not parts[0][0]:
        del parts[0]
    return " ".join(f"{amount}{unit}" for amount, unit in parts if amount or len(parts) > 1)


def size(amount: float) -> str:
    """Bytes in GB, to a tenth."""
    return f"{_plain(round(amount / GB, 1))}GB"


def parse_duration(text: str) -> float:
    """Milliseconds of parts in ms, s, m, h and d, the largest first. Raises ValueError."""
    parts = [_PART.fullmatch(part) for part in text.split(" ")]
    found = [(float(part[1]), _MS[part[2]]) for part in parts if part is not None]
    units = [unit for _, unit in found]
    if len(found) < len(parts) or any(a <= b for a, b in pairwise(units)):
        raise ValueError('wants parts like "45s" or "7d 4h 23m"')
    return sum(amount * unit for amount, unit in found)


def parse_size(text: str) -> float:
    """Bytes of a number with B, KB, MB, GB or TB. Raises ValueError."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError('wants a number with a unit, like "6.5GB"')
    return float(found[1]) * _BYTES[found[2]]


def _plain(value: float) -> str:
    """8 rather than 8.0."""
    return str(int(value)) if value == int(value) else str(value)
