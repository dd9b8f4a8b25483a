"""From file, environment and flags to one checked configuration that knows where each value came from.

Later wins: default < file < `[env.NAME]` of the file < environment file < `DISPATCHER_<SECTION>__<KEY>` < flag.
Tables are merged key by key, also by an overlay; lists are replaced.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dispatcher.settings.cloudai import documented, ignored
from dispatcher.settings.environment import read_env_file, setting_variables, unknown_variables
from dispatcher.settings.model import Settings
from dispatcher.settings.problems import SettingsError, did_you_mean, unknown_keys

CONFIG_FILE = "wrangler-like-config.toml"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration; `origins` has the source of every key that is not a default, `environ` the merged variables."""

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]
    environ: Mapping[str, str]
    env: str | None  # the overlay in effect
    environments: tuple[str, ...]  # the overlays that the file has


def load(
    environ: Mapping[str, str],
    *,
    config: Path | None = None,
    env: str | None = None,
    flags: Mapping[str, Any] | None = None,
    directory: Path | None = None,
) -> Loaded:
    """Read the configuration. Raises SettingsError with every problem found.

    `config` must exist when given; else the usual file of `directory` (default: the current one) is read if it is
    there. `env` selects an overlay, which must exist where a file is read. `flags` are dotted keys; None = not given.
    """
    directory = directory or Path()
    path = config or Path(environ.get("DISPATCHER_CONFIG") or directory / CONFIG_FILE)
    named = config is not None or bool(environ.get("DISPATCHER_CONFIG"))
    env = env or environ.get("DISPATCHER_ENV") or None
    document: dict[str, Any] = {}
    overlays: dict[str, Any] = {}
    if named or path.exists():
        document = _read_toml(path)
        overlays = _overlays(document, path, env)

    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    _merge(values, document, path.name, origins)
    if env is not None:
        _merge(values, overlays.get(env, {}), f"{path.name} [env.{env}]", origins)
    environ, sources = _with_env_file(environ, path.parent)
    for variable, tables in documented(environ, values.get("listeners")):
        _merge(values, tables, variable, origins)
    for variable, section, key, value in setting_variables(environ):
        _merge(values, {section: {key: value}}, sources.get(variable, variable), origins)
    for dotted, value in (flags or {}).items():
        if value is not None:
            section, key = dotted.split(".")
            _merge(values, {section: {key: value}}, "--" + key.replace("_", "-"), origins)
    settings = _checked(_with_vars(values), origins)
    warnings = (*unknown_variables(environ), *ignored(environ, values.get("listeners")))
    return Loaded(settings, origins, warnings, environ, env, tuple(overlays))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: not TOML: {error}"]) from None


def _overlays(document: dict[str, Any], path: Path, env: str | None) -> dict[str, Any]:
    """Take the overlays out of the document. Keys are checked in all of them, also in those not asked for."""
    overlays = document.pop("env", {})
    problems = list(unknown_keys(document, Settings, path.name))
    if not isinstance(overlays, dict) or not all(isinstance(overlay, dict) for overlay in overlays.values()):
        raise SettingsError([f'{path.name}: "env" holds tables only, like [env.production.server]'])
    for name, overlay in overlays.items():
        problems += unknown_keys(overlay, Settings, path.name, f"env.{name}.")
    if env is not None and env not in overlays:
        problems.append(f"{path.name}: there is no [env.{env}]{did_you_mean(env, overlays)}")
    if problems:
        raise SettingsError(problems)
    return overlays


def _merge(
    into: dict[str, Any], table: Mapping[str, Any], origin: str, origins: dict[str, str], path: str = ""
) -> None:
    for key, value in table.items():
        dotted = f"{path}{key}"
        if isinstance(value, dict):
            inner = into.setdefault(key, {})
            if isinstance(inner, dict):
                _merge(inner, value, origin, origins, f"{dotted}.")
                continue
        into[key] = value
        origins[dotted] = origin


def _with_env_file(environ: Mapping[str, str], directory: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The variables with those of the environment file below them, and the file's name for each that it gave."""
    named = environ.get("DISPATCHER_ENV_FILE")
    path = Path(named) if named else directory / ".env"
    if not named and not path.exists():
        return dict(environ), {}
    try:
        found = read_env_file(path)
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror}"]) from None
    return {**found, **environ}, {name: f"{path.name} {name}" for name in found if name not in environ}


def _with_vars(values: dict[str, Any]) -> dict[str, Any]:
    """Replace `${NAME}` in every text by [vars] NAME."""
    variables = values.get("vars", {})

    def replaced(found: re.Match[str]) -> str:
        if found[1] not in variables:
            raise SettingsError([f"${{{found[1]}}} is used, but [vars] has no {found[1]}"])
        return str(variables[found[1]])

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        return re.sub(r"\$\{(\w+)\}", replaced, value) if isinstance(value, str) else value

    return {key: inner if key == "vars" else walk(inner) for key, inner in values.items()}


def _checked(values: dict[str, Any], origins: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(problem["loc"], problem["msg"], origins) for problem in error.errors()) from None


def _explain(location: tuple[int | str, ...], message: str, origins: Mapping[str, str]) -> str:
    dotted = ".".join(str(part) for part in location)
    origin = origins.get(dotted) or origins.get(str(location[0])) or "configuration"
    return f"{origin}: {dotted}: {message.removeprefix('Value error, ')}"
