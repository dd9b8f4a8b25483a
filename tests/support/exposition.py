"""The Prometheus text format, version 0.0.4, read as strictly as its description allows."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")
_PAIR = re.compile(rf'({_LABEL})="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
_HELP = re.compile(rf"# HELP ({_NAME}) ((?:[^\\]|\\[\\n])*)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge|summary|histogram|untyped)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|Inf)|NaN")
_SUFFIXES = {"summary": ("", "_sum", "_count"), "histogram": ("_bucket", "_sum", "_count")}

Labels = tuple[tuple[str, str], ...]  # sorted


@dataclass
class Family:
    name: str
    about: str
    kind: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)  # by name and labels

    def value(self, suffix: str = "", **labels: str) -> float:
        return self.samples[self.name + suffix, tuple(sorted(labels.items()))]


def parse(text: str) -> dict[str, Family]:
    """Families by name. Raises ValueError for whatever a scraper could stumble over: each family has its HELP, its TYPE
    and at least one sample, in this order and in one block; no sample stands there twice."""
    if not text.endswith("\n") or "\r" in text:
        raise ValueError("each line ends with a line feed, the last one too")
    families: dict[str, Family] = {}
    lines = iter(text.split("\n")[:-1])
    for line in lines:
        if line.startswith("# HELP "):
            family = _family(line, next(lines, ""))
            if family.name in families:
                raise ValueError(f"{family.name} is there twice")
            families[family.name] = family
        elif not families:
            raise ValueError(f"a sample without a family: {line!r}")
        else:
            _sample(family, line)
    if empty := [family.name for family in families.values() if not family.samples]:
        raise ValueError(f"no samples: {empty}")
    return families


def _family(about: str, kind: str) -> Family:
    helped, typed = _HELP.fullmatch(about), _TYPE.fullmatch(kind)
    if helped is None or typed is None or helped[1] != typed[1]:
        raise ValueError(f"not the head of a family: {about!r} {kind!r}")
    if typed[2] == "counter" and not helped[1].endswith("_total"):
        raise ValueError(f"the counter {helped[1]} does not end with _total")
    return Family(helped[1], _unescaped(helped[2]), typed[2])


def _sample(family: Family, line: str) -> None:
    found = _SAMPLE.fullmatch(line)
    if found is None or _NUMBER.fullmatch(found[3]) is None:
        raise ValueError(f"not a sample: {line!r}")
    name, value = found[1], float(found[3])
    if name not in [family.name + suffix for suffix in _SUFFIXES.get(family.kind, ("",))]:
        raise ValueError(f"{name} is not of {family.name}")
    if (family.kind == "counter" or name.endswith(("_count", "_bucket"))) and not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"a counter cannot be {value}")
    key = name, tuple(sorted(_labels(found[2] or "")))
    if key in family.samples:
        raise ValueError(f"there twice: {line!r}")
    family.samples[key] = value


def _labels(text: str) -> Iterator[tuple[str, str]]:
    at, known = 0, set[str]()
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None or found[1] in known or found[1].startswith("__"):
            raise ValueError(f"not labels: {text!r}")
        known.add(found[1])
        yield found[1], _unescaped(found[2])
        at = found.end()


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)
