"""`dispatcher config`."""

import json
import os
from pathlib import Path

import typer

from dispatcher.app.options import callback_problems
from dispatcher.cli.failures import warn
from dispatcher.settings import Secrets, SettingsError, load, read_secrets


def check(config: Path | None, env: str | None) -> None:
    """Load the configuration plainly and with each overlay. Raises SettingsError with all that was found."""
    loaded = load(os.environ, config=config, env=env)
    problems: dict[str, None] = {}  # an ordered set
    for name in loaded.environments:
        try:
            overlaid = load(os.environ, config=config, env=name)
            if name == "production":
                warn(callback_problems(overlaid.settings))
        except SettingsError as error:
            problems.update(dict.fromkeys(error.problems))
    if problems:
        raise SettingsError(problems)
    read_secrets(loaded.environ)
    warn(loaded.warnings)
    overlays = f" (overlays: {', '.join(loaded.environments)})" if loaded.environments else ""
    typer.echo(f"the configuration is good{overlays}")


def show(config: Path | None, env: str | None, *, origin: bool) -> None:
    """Print every key, in the file's own language."""
    loaded = load(os.environ, config=config, env=env)
    warn(loaded.warnings)
    for section, values in loaded.settings.model_dump(mode="json").items():
        for number, table in enumerate(values if isinstance(values, list) else [values]):
            head = f"[[{section}]]" if isinstance(values, list) else f"[{section}]"
            typer.echo(("" if section == "vars" and not number else "\n") + head)
            for key, value in table.items():
                dotted = f"{section}.{key}"
                source = loaded.origins.get(dotted) or loaded.origins.get(section) or "default"
                typer.echo(f"{key} = {json.dumps(value)}" + (f"  # {source}" if origin else ""))
    secrets = read_secrets(loaded.environ)
    typer.echo("\n# secrets")
    for name in Secrets.__dataclass_fields__:
        typer.echo(f"# DISPATCHER_{name.upper()}: {'set' if getattr(secrets, name) else 'not set'}")
