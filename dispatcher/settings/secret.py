"""Secrets: from the environment or from a file that a variable names, never from the configuration file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.settings.problems import SettingsError

MIN_BYTES = 32  # RFC 7518, section 3.2: an HMAC key at least as long as its hash
MIN_DISTINCT = 8
WORN = ("secret", "password", "changeme", "change-me", "default", "example", "your-", "test")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be seen. `previous` ones are still accepted, so that keys can be changed without an outage."""

    jwt_secret: str = field(default="", repr=False)
    jwt_secret_previous: str = field(default="", repr=False)
    encryption_key: str = field(default="", repr=False)
    encryption_key_previous: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)


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


def weakness(secret: str) -> str | None:
    """Why a secret must not sign tokens, or None for one that may."""
    if len(secret.encode()) < MIN_BYTES:
        return f"is shorter than {MIN_BYTES} bytes"
    if len(set(secret)) < MIN_DISTINCT:
        return f"has fewer than {MIN_DISTINCT} different characters"
    if any(word in secret.lower() for word in WORN):
        return "contains a word that stands in examples"
    return None


def require_production(secrets: Secrets) -> None:
    """Refuse what would run, but not safely. Raises SettingsError naming each variable."""
    problems = []
    if not secrets.redis_url:
        problems.append("DISPATCHER_REDIS_URL (or DISPATCHER_REDIS_URL_FILE) is not set")
    if not secrets.jwt_secret:
        problems.append("DISPATCHER_JWT_SECRET (or DISPATCHER_JWT_SECRET_FILE) is not set")
    for name in ("jwt_secret", "jwt_secret_previous", "encryption_key", "encryption_key_previous"):
        value = getattr(secrets, name)
        if value and (reason := weakness(value)):
            problems.append(f"DISPATCHER_{name.upper()} {reason}; make one with: openssl rand -base64 48")
    if problems:
        raise SettingsError(problems)
