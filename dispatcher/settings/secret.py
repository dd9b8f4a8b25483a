"""Secrets: from the environment or from a file that a variable names, never from the configuration file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.settings.problems import SettingsError


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be seen. `previous` ones are still accepted, so that keys can be changed without an outage."""

    jwt_secret: str = field(default="", repr=False)
    jwt_secret_previous: str = field(default="", repr=False)
    encryption_key: str = field(default="", repr=False)
    encryption_key_previous: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)

    @property
    def signing(self) -> list[str]:
        """The keys of tokens, the present one first."""
        return [key for key in (self.jwt_secret, self.jwt_secret_previous) if key]

    @property
    def sealing(self) -> list[str]:
        """The keys of what is encrypted at rest, the present one first; may be empty."""
        return [key for key in (self.encryption_key, self.encryption_key_previous) if key]


def read_secrets(environ: Mapping[str, str]) -> Secrets:
    """Read `DISPATCHER_<NAME>`, or the file that `DISPATCHER_<NAME>_FILE` names. Raises SettingsError."""
    problems: list[str] = []
    found: dict[str, str] = {}
    for name in Secrets.__dataclass_fields__:
        variable = f"DISPATCHER_{name.upper()}"
        direct, path = environ.get(variable, ""), environ.get(f"{variable}_FILE", "")
        if direct and path:
            problems.append(f"{variable} and {variable}_FILE are both set; keep one")
        try:
            found[name] = Path(path).read_text().strip() if path else direct
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{variable}_FILE: {path}: {getattr(error, 'strerror', None) or 'not text'}")
    if problems:
        raise SettingsError(problems)
    return Secrets(**found)


def require_production(secrets: Secrets, check_secret: Callable[[str], None]) -> None:
    """Refuse what would run, but not safely. `check_secret` raises ValueError for one that can be guessed.

    Raises SettingsError naming each variable, never with a value.
    """
    problems = [
        f"DISPATCHER_{name} (or DISPATCHER_{name}_FILE) is not set"
        for name in ("REDIS_URL", "JWT_SECRET")
        if not getattr(secrets, name.lower())
    ]
    for name in ("jwt_secret", "jwt_secret_previous", "encryption_key", "encryption_key_previous"):
        if value := getattr(secrets, name):
            try:
                check_secret(value)
            except ValueError as error:
                problems.append(f"DISPATCHER_{name.upper()}: {error}")
    if problems:
        raise SettingsError(problems)
