"""`dispatcher serve`: one production gateway."""

import asyncio
import os
from pathlib import Path

import typer

from dispatcher.app import build, open_configured
from dispatcher.app.options import callback_problems, open_doors
from dispatcher.auth.secret import check_secret
from dispatcher.cli.failures import Failure, warn
from dispatcher.cli.serving import on_port, run_gateway
from dispatcher.domain.errors import DispatchError
from dispatcher.launch import PortInUse, free_port
from dispatcher.launch.logs import configure_logs
from dispatcher.settings import Secrets, Settings, SettingsError, load, read_secrets, require_production


def run_serve(*, config: Path | None, env: str | None, host: str | None, port: int | None) -> None:
    """Serve until told to stop. Raises SettingsError before anything starts, Failure when it cannot go on."""
    flags = {"server.host": host, "server.port": port}
    loaded = load(os.environ, config=config, env=env, flags=flags)
    secrets = read_secrets(loaded.environ)
    require_production(secrets, check_secret)
    unreached = callback_problems(loaded.settings)
    if unreached and loaded.env == "production":
        raise SettingsError(unreached)
    warn([*loaded.warnings, *unreached])
    configure_logs(loaded.settings.log.level, loaded.settings.log.format)
    server = loaded.settings.server
    try:
        settings = loaded.settings if server.port else on_port(loaded.settings, free_port(server.host, 0))
        asyncio.run(_serve(settings, secrets, production=loaded.env == "production"))
    except PortInUse as error:
        raise Failure(str(error)) from None


async def _serve(settings: Settings, secrets: Secrets, *, production: bool) -> None:
    try:
        gateway = build(settings, secrets, open_configured(settings, secrets.redis_url))
    except OSError as error:
        raise SettingsError([f"urls.ca_file: {error.strerror or 'not a PEM file'}"]) from None
    try:
        problems = await gateway.durability_problems()
    except DispatchError as error:
        await gateway.stop()
        raise Failure(f"DISPATCHER_REDIS_URL: {error.message}") from None
    problems += open_doors(settings)
    if problems and production:
        await gateway.stop()
        raise SettingsError(problems)
    warn(problems)

    async def ready(addresses: list[tuple[str, int]]) -> None:
        for host, port in addresses:
            typer.echo(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}", err=True)

    await run_gateway(gateway, settings, on_ready=ready)
