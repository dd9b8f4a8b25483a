"""Answers of two stores, compared but for what may differ."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from dispatcher.domain.grant import Candidates, Ticked, Waiting


def told(answer: Any) -> Any:
    """An answer without what may differ: the order of candidates, the work of a tick, how a float was rounded."""
    match answer:
        case float():
            return round(answer, 6)
        case Candidates():
            return sorted((free.server_id, round(free.load, 6)) for free in answer.free), answer.complete
        case Ticked():
            return sorted(answer.probes)
        case [Waiting(), *_]:
            return sorted(waiting.task_id for waiting in answer)
        case dict():
            return {key: told(value) for key, value in answer.items()}
        case list() | tuple():
            return [told(value) for value in answer]
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        fields = {f.name: told(getattr(answer, f.name)) for f in dataclasses.fields(answer)}
        return type(answer).__name__, fields
    return answer


def differences(one: Any, two: Any, place: str) -> Iterator[str]:
    """Where two told answers part, and what each says there."""
    if isinstance(one, list | tuple) and isinstance(two, list | tuple) and len(one) == len(two):
        for n, (a, b) in enumerate(zip(one, two, strict=True)):
            yield from differences(a, b, f"{place}.{n}")
    elif isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
        for key in one:
            yield from differences(one[key], two[key], f"{place}.{key}")
    elif one != two:
        yield f"{place}: {one!r} and {two!r}"


def agree(one: Any, two: Any, place: str) -> None:
    found = list(differences(one, two, place))
    assert not found, found
