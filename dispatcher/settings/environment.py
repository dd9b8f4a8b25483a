"""The environment: `DISPATCHER_<SECTION>__<KEY>`, the file of such lines, and what else may stand there."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_origin

from dispatcher.settings.model import Settings
from dispatcher.settings.problems import SettingsError, did_you_mean

PREFIX = "DISPATCHER_"
VARS = f"{PREFIX}VARS__"
SECRETS = ("JWT_SECRET", "JWT_SECRET_PREVIOUS", "ENCRYPTION_KEY", "ENCRYPTION_KEY_PREVIOUS", "REDIS_URL")
OF_THE_SDK = ("URL", "TOKEN", "SERVER_ID", "API_KEY")
OTHERS = frozenset(
    PREFIX + name
    for name in (*SECRETS, *(f"{name}_FILE" for name in SECRETS), "CONFIG", "ENV", "ENV_FILE", *OF_THE_SDK)
)


def read_env_file(path: Path) -> dict[str, str]:
    """The DISPATCHER_ lines `NAME=value` of a file; `#` starts a comment line, quotes around a value fall away."""
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError([f"{path}: line {number} is not NAME=value"])
        if name.strip().startswith(PREFIX):
            found[name.strip()] = value.strip().strip("'\"")
    return found


@cache
def known_variables() -> Mapping[str, tuple[str, str, bool]]:
    """Every variable that sets a key: (section, key, whether the key holds a list)."""
    return {
        f"{PREFIX}{section.upper()}__{key.upper()}": (section, key, get_origin(field.annotation) is tuple)
        for section, model in Settings.model_fields.items()
        for key, field in getattr(model.annotation, "model_fields", {}).items()
    }


def setting_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str, Any]]:
    """(variable, section, key, value) of each variable that sets a known key. Raises SettingsError."""
    for variable, text in environ.items():
        if variable.startswith(VARS):
            yield variable, "vars", variable.removeprefix(VARS), text
        elif variable in known_variables():
            section, key, many = known_variables()[variable]
            yield variable, section, key, _items(variable, text) if many else text


def _items(variable: str, text: str) -> Any:
    """A list: JSON, or items between commas."""
    if not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    try:
        return json.loads(text)
    except ValueError:
        raise SettingsError([f"{variable}: not a JSON list"]) from None


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """A warning for each DISPATCHER_ variable that means nothing: harmless, but most likely mistyped."""
    known = {*OTHERS, *known_variables()}
    return [
        f"unknown variable {name}{did_you_mean(name, known)}"
        for name in environ
        if name.startswith(PREFIX) and name not in known and not name.startswith(VARS)
    ]
