"""`dispatcher token`."""

import os
from pathlib import Path

from dispatcher.app.build import make_tokens
from dispatcher.settings import Secrets, SettingsError, load, read_secrets
from dispatcher.settings.values import parse_duration

REFUSED = "--tenant takes letters, digits and . _ - only, --sub also @ | +, --server-id also : @; --ttl is at least 1s"
DEVELOPMENT_SECRET = Path(".dispatcher") / "jwt-secret"


def make_token(*, sub: str, role: str, ttl: str, server_id: str | None, tenant: str) -> str:
    """A signed token. Raises SettingsError for what cannot be put into one, or without a secret to sign it."""
    loaded = load(os.environ)
    secret = read_secrets(loaded.environ).jwt_secret
    if not secret and DEVELOPMENT_SECRET.exists():
        secret = DEVELOPMENT_SECRET.read_text().strip()
    if not secret:
        raise SettingsError(
            [f"no secret to sign with: DISPATCHER_JWT_SECRET is not set, and no {DEVELOPMENT_SECRET} is here"]
        )
    if (role == "server") != (server_id is not None):
        raise SettingsError(["--server-id goes with --role server, and that role with nothing else"])
    try:
        ttl_s = parse_duration(ttl) // 1000
    except ValueError as error:
        raise SettingsError([f"--ttl {error}"]) from None
    try:
        tokens = make_tokens(loaded.settings, Secrets(jwt_secret=secret))
    except ValueError as error:
        raise SettingsError([f"DISPATCHER_JWT_SECRET: {error}"]) from None
    try:
        return tokens.issue(sub, [role], ttl_s, tenant, server_id)
    except ValueError:
        raise SettingsError([REFUSED]) from None
