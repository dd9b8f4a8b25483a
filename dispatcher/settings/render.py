"""The shipped configuration file and its reference page, written from the model.

`python -m dispatcher.settings.render` writes both anew after a change; a test compares them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dispatcher.settings import sections
from dispatcher.settings.load import CONFIG_FILE
from dispatcher.settings.model import Settings
from dispatcher.settings.values import range_of

REFERENCE = "docs/reference/settings.md"

FILE_HEAD = """\
# Every setting of the edge dispatcher with its default. Delete what you do not change.
# Later wins: this file < [env.NAME] (--env NAME) < environment file < DISPATCHER_<SECTION>__<KEY> < flag.
# Durations: ms, s, m, h, d. Sizes: B, KiB, MiB, GiB. Secrets never stand here; see docs/reference/settings.md.

[vars]  # your own names, used as ${NAME} in any text below; an overlay may change them
# DOMAIN = "gateway.example.com"
"""

FILE_TAIL = """\
# Overlays: only what differs, merged key by key. `dispatcher serve --env production` also requires a durable Redis.
[env.production.server]
host = "0.0.0.0"
# public_url = "http://gateway.internal:8787"  # needed with such a host: how GPU servers reach this gateway
drain_delay = "5s"  # longer than your load balancer needs to notice

[env.production.urls]
loopback = false

[env.production.log]
format = "json"
"""

PAGE_HEAD = f"""\
# Settings

The gateway reads `{CONFIG_FILE}` of the working directory, or the file that `--config` names. Later wins:

1. the default
2. the file
3. its `[env.NAME]` tables, with `--env NAME` (or `DISPATCHER_ENV`); merged key by key, lists are replaced
4. the environment file: `.env` beside the configuration, or the one that `DISPATCHER_ENV_FILE` names
5. `DISPATCHER_<SECTION>__<KEY>`, e.g. `DISPATCHER_LIMITS__ENABLED=false`; items of a list stand between commas
6. flags

`dispatcher config show --origin` prints every value with its source, `dispatcher config check` tells what is wrong.
An unknown key is an error, an unknown variable a warning. `[vars]` holds names of your own: `${{NAME}}` in any text of
the file stands for the value of `NAME`.

Durations are written `250ms`, `15s`, `5m`, `24h` or `7d`; sizes `64KiB`, `1MiB` or `2GiB`.

## Secrets

Only from the environment, or from a file that `<NAME>_FILE` names. In the configuration file they are an error.

| variable | holds |
|---|---|
| `DISPATCHER_REDIS_URL` | `redis://`, `rediss://` or `unix://` URL, with the password |
| `DISPATCHER_JWT_SECRET` | key of the tokens (HS256), at least 32 bytes |
| `DISPATCHER_JWT_SECRET_PREVIOUS` | the key before: still accepted, no longer used to sign |
| `DISPATCHER_ENCRYPTION_KEY` | encrypts the API keys of servers at rest; default: derived from the JWT secret |
| `DISPATCHER_ENCRYPTION_KEY_PREVIOUS` | the key before: still opens what it sealed |

## Variables of the CloudAI document

| variable | |
|---|---|
| `HTTP_PORT` | port of the `[[listeners]]` with CloudAI: `:8080`, `8080` or `host:8080`; without one a warning |
| `CLOUDAI_FILES_DIR` | `[cloudai] files_directory` |
| `GRPC_PORT`, `MONGODB_URI`, `MONGODB_DATABASE` | nothing: a warning |
"""


def _toml(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _sections() -> Iterator[tuple[str, type[BaseModel], bool]]:
    """(name, model, whether the section repeats), in the order of the file."""
    for name, field in Settings.model_fields.items():
        for candidate in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                yield name, candidate, candidate is not field.annotation


# The listeners that the file shows, commented out: each API on the port that its document names, or the next one.
_LISTENERS: tuple[dict[str, Any], ...] = (
    {},
    {"dialect": "jobs", "port": 8080},
    {"dialect": "farm", "port": 8765},
    {"dialect": "cloudai", "port": 8081},
    {"dialect": "cluster", "port": 8000},
)

_NOTES = {"cloudai": "Its document names 8080, as that of the job queue does, which has it above."}


def render_file() -> str:
    """The configuration file with every key, its default and its comment."""
    blocks = [FILE_HEAD]
    for name, model, repeats in _sections():
        mark = "# " if model is sections.Listener else ""
        head = f"[[{name}]]" if repeats else f"[{name}]"
        for shown in _LISTENERS if model is sections.Listener else ({},):
            lines = [f"{mark}{head}  # {_NOTES.get(shown.get('dialect', ''), _one_line(model))}"]
            for key, field in model.model_fields.items():
                value = shown.get(key, field.default)
                lines.append(f"{mark}{key} = {_toml(value)}".ljust(32) + f"  # {_comment(field)}")
            blocks.append("\n".join(lines) + "\n")
    return "\n".join([*blocks, FILE_TAIL])


def render_page() -> str:
    """The reference page."""
    blocks = [PAGE_HEAD]
    for name, model, repeats in _sections():
        head = f"[[{name}]]" if repeats else f"[{name}]"
        lines = [f"## `{head}`", "", _one_line(model), "", "| key | default | |", "|---|---|---|"]
        for key, field in model.model_fields.items():
            lines.append(f"| `{key}` | `{_toml(field.default)}` | {_comment(field)} |")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _comment(field: FieldInfo) -> str:
    allowed = range_of(field.metadata)
    return f"{field.description} ({allowed})" if allowed else field.description or ""


def _one_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def main() -> None:
    """Write both files below the working directory."""
    Path(CONFIG_FILE).write_text(render_file())
    Path(REFERENCE).write_text(render_page())


if __name__ == "__main__":
    main()
