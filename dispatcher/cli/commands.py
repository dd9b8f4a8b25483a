"""Commands and flags.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
"""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dispatcher.cli.failures import told

app = typer.Typer(
    name="dispatcher",
    help="One URL in front of a fleet of GPU servers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Check and show the configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Configuration file [default: wrangler-like-config.toml, if there]")
]
EnvOption = Annotated[str | None, typer.Option("--env", help="Overlay [env.NAME] of the file")]
HostOption = Annotated[str | None, typer.Option(help="Address to listen on")]
PortOption = Annotated[int | None, typer.Option(help="Port to listen on", min=0, max=65535)]


class RoleName(StrEnum):
    CLIENT = "client"
    SERVER = "server"
    ADMIN = "admin"


@app.command()
@told
def dev(
    host: HostOption = None,
    port: PortOption = None,
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Without the demo servers")] = False,
    state: Annotated[Path, typer.Option(help="Where tasks and secrets are kept")] = Path(".dispatcher"),
    redis_url: Annotated[str | None, typer.Option(help="Use this Redis instead of one of our own")] = None,
    traffic: Annotated[bool, typer.Option("--traffic", help="Send a few tasks per second")] = False,
) -> None:
    """Run everything on this machine: gateway, state, three demo servers."""
    from dispatcher.cli.dev import run_dev

    run_dev(host=host, port=port, demo=not no_demo, state=state, redis_url=redis_url, traffic=traffic)


@app.command()
@told
def serve(config: ConfigOption = None, env: EnvOption = None, host: HostOption = None, port: PortOption = None) -> None:
    """Run a gateway in production. Needs DISPATCHER_REDIS_URL and DISPATCHER_JWT_SECRET."""
    from dispatcher.cli.serve import run_serve

    run_serve(config=config, env=env, host=host, port=port)


@app.command()
@told
def token(
    sub: Annotated[str, typer.Option(help="Whom it is for")],
    role: Annotated[RoleName, typer.Option(help="What it allows")],
    ttl: Annotated[str, typer.Option(help="How long it holds: 30m, 12h, 7d...")] = "1h",
    server_id: Annotated[str | None, typer.Option(help="The server that a server token is bound to")] = None,
    tenant: Annotated[str, typer.Option(help="Tenant")] = "default",
) -> None:
    """Print a token, and nothing else. Signed with DISPATCHER_JWT_SECRET, else with the secret in .dispatcher."""
    from dispatcher.cli.token import make_token

    typer.echo(make_token(sub=sub, role=role.value, ttl=ttl, server_id=server_id, tenant=tenant))


@config_app.command("check")
@told
def config_check(config: ConfigOption = None, env: EnvOption = None) -> None:
    """Tell what is wrong with the configuration, in every overlay. Exit code 2 when something is."""
    from dispatcher.cli.config import check

    check(config, env)


@config_app.command("show")
@told
def config_show(
    config: ConfigOption = None,
    env: EnvOption = None,
    origin: Annotated[bool, typer.Option("--origin", help="Tell where each value comes from")] = False,
) -> None:
    """Print the configuration in effect. Secrets are only said to be set or not."""
    from dispatcher.cli.config import show

    show(config, env, origin=origin)


def main() -> NoReturn:
    """Entry point of the `dispatcher` program.

    Where granian has run the process ends without tearing the interpreter down: a thread of granian's that asks for it
    meanwhile would abort the process (SIGABRT instead of the exit code).
    """
    try:
        app()
    except SystemExit as end:
        if "granian" not in sys.modules or not isinstance(end.code, int):
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)
    raise SystemExit(0)
