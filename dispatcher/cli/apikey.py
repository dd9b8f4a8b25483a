"""`dispatcher apikey`."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import typer

from dispatcher.app import open_configured
from dispatcher.auth.apikeys import ApiKeys
from dispatcher.cli.failures import Failure
from dispatcher.domain.clock import SystemClock
from dispatcher.domain.errors import DispatchError
from dispatcher.domain.principal import Owner, Role
from dispatcher.service.ports import KeyStore
from dispatcher.settings import SettingsError, load, read_secrets
from dispatcher.settings.values import parse_duration

REFUSED = "--sub and --tenant take letters, digits and . _ - only; --name at most 128 printable characters"

T = TypeVar("T")


def create(
    *, sub: str, role: str, tenant: str, name: str, ttl: str | None, config: Path | None, env: str | None
) -> str:
    """A new key. It cannot be shown again. Raises SettingsError, Failure."""
    try:
        ttl_ms = parse_duration(ttl) if ttl is not None else 0
    except ValueError as error:
        raise SettingsError([f"--ttl {error}"]) from None

    async def work(keys: KeyStore) -> str:
        made = ApiKeys(keys, SystemClock())
        try:
            _, text = await made.create(Owner(tenant, sub), Role(role), name=name, ttl_ms=ttl_ms)
        except ValueError:
            raise SettingsError([REFUSED]) from None
        return text

    return _with_keys(config, env, work)


def show(*, config: Path | None, env: str | None) -> None:
    """Print the keys without their secrets, oldest first, tab-separated. Raises SettingsError, Failure."""
    keys = _with_keys(config, env, lambda store: store.all())
    for key in keys:
        until = _time(key.expires_ms) if key.expires_ms else "-"
        columns = (key.id, key.role, key.owner.tenant, key.owner.sub, _time(key.created_ms), until, key.name or "-")
        typer.echo("\t".join(columns))


def revoke(key_id: str, *, config: Path | None, env: str | None) -> None:
    """Forget a key: its next call is refused. Raises SettingsError, Failure."""
    if not _with_keys(config, env, lambda store: store.revoke(key_id)):
        raise Failure(f"there is no API key {key_id[:80]}")


def _with_keys(config: Path | None, env: str | None, work: Callable[[KeyStore], Awaitable[T]]) -> T:
    loaded = load(os.environ, config=config, env=env)
    url = read_secrets(loaded.environ).redis_url
    if not url:
        raise SettingsError(["DISPATCHER_REDIS_URL is not set: that is where the keys are"])

    async def run() -> T:
        store = open_configured(loaded.settings, url)
        try:
            return await work(store.keys)
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except DispatchError as error:
        raise Failure(error.message) from None


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
