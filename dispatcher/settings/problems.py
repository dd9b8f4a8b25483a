"""What can be wrong with a configuration, said so that it can be put right."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

SECRET_WORDS = ("secret", "password", "encryption_key", "redis_url", "token")


class SettingsError(Exception):
    """The configuration cannot be used. One problem per line, each naming its place."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint to append to a message about an unknown word, or an empty text."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def _models(annotation: Any) -> type[BaseModel] | None:
    """The section model in `Server` or `tuple[Listener, ...]`."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def unknown_keys(table: Mapping[str, Any], model: type[BaseModel], place: str, path: str = "") -> Iterator[str]:
    """One line for each key of `table` that `model` does not have. `place` names the file."""
    for key, value in table.items():
        dotted = f"{path}{key}"
        if key not in model.model_fields:
            if any(word in key.lower() for word in SECRET_WORDS):
                yield f'{place}: "{dotted}" looks like a secret; those come from the environment or a *_FILE only'
            else:
                known = [f"{path}{name}" for name in model.model_fields]
                yield f'{place}: unknown key "{dotted}"{did_you_mean(dotted, known)}'
            continue
        inner = _models(model.model_fields[key].annotation)
        if inner is None:
            if key == "vars" and isinstance(value, dict):
                yield from (
                    f'{place}: "{dotted}.{name}" looks like a secret; those come from the environment or a *_FILE only'
                    for name in value
                    if any(word in name.lower() for word in SECRET_WORDS)
                )
            continue
        for number, entry in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(entry, dict):
                position = f"[{number}]" if isinstance(value, list) else ""
                yield from unknown_keys(entry, inner, place, f"{dotted}{position}.")
