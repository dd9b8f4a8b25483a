"""Commands and flags.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
"""

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
apikey_app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
app.add_typer(apikey_app, name="apikey")

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


class RunnerName(StrEnum):
    PROCESS = "process"
    DOCKER = "docker"
    MODEL = "model"


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


@app.command()
@told
def executor(
    url: Annotated[str, typer.Option(help="Base URL of the job queue, up to and with /api/v1")],
    token: Annotated[
        str | None, typer.Option(help="Token for the queue", envvar="DISPATCHER_TOKEN", show_envvar=True)
    ] = None,
    executor_id: Annotated[
        str | None, typer.Option("--id", help="Name of this executor [default: host name and a random part]")
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Jobs at once", min=1, max=256)] = 1,
    max_download: Annotated[int, typer.Option(help="Largest binary, in bytes", min=1)] = 1 << 30,
    max_memory: Annotated[
        int | None, typer.Option(help="Address space of a process of a job, in bytes", min=64 << 20)
    ] = None,
    max_file: Annotated[int, typer.Option(help="Largest file that a job may write, in bytes", min=0)] = 1 << 30,
    allow_http: Annotated[bool, typer.Option("--allow-http", help="Binaries may come over plain http")] = False,
    timeout: Annotated[int, typer.Option(help="Seconds for one job, download included", min=1)] = 3600,
    grace: Annotated[int, typer.Option(help="Seconds that running jobs get after SIGTERM", min=0)] = 30,
    once: Annotated[bool, typer.Option("--once", help="Take one job, or none, and exit")] = False,
) -> None:
    """Fetch jobs of the job queue and run their binaries on this machine."""
    from dispatcher.cli.executor import run_executor

    run_executor(
        url=url,
        token=token,
        executor_id=executor_id,
        concurrency=concurrency,
        max_download=max_download,
        max_memory=max_memory,
        max_file=max_file,
        allow_http=allow_http,
        timeout=timeout,
        grace=grace,
        once=once,
    )


@app.command()
@told
def agent(
    url: Annotated[str, typer.Option(help="Base URL of the gateway")],
    name: Annotated[str, typer.Option(help="Name of this worker: the same name is the same worker")],
    token: Annotated[
        str | None,
        typer.Option(
            help="An admin's token, or with --server-id that server's", envvar="DISPATCHER_TOKEN", show_envvar=True
        ),
    ] = None,
    server_id: Annotated[
        str | None,
        typer.Option(
            help="Be this server, which is registered already", envvar="DISPATCHER_SERVER_ID", show_envvar=True
        ),
    ] = None,
    runner: Annotated[
        list[RunnerName] | None, typer.Option(help="What runs tasks; may be repeated [default: process]")
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Directory of models, with --runner model")] = None,
    allow_image: Annotated[
        list[str] | None, typer.Option(help="Pattern of images that may be run; may be repeated")
    ] = None,
    docker_network: Annotated[str, typer.Option(help="Network that containers join")] = "none",
    concurrency: Annotated[int, typer.Option(help="Tasks at once", min=1, max=256)] = 1,
    capability: Annotated[list[str] | None, typer.Option(help="What it is capable of; may be repeated")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Group that it is in; may be repeated")] = None,
    resource: Annotated[
        list[str] | None, typer.Option(help="Total in place of the measured one, as memoryMB=4096; may be repeated")
    ] = None,
    timeout: Annotated[int | None, typer.Option(help="Seconds for one task, beside the task's own", min=1)] = None,
    grace: Annotated[int, typer.Option(help="Seconds that running tasks get after SIGTERM", min=0)] = 30,
    terminate: Annotated[int, typer.Option(help="Seconds from a task's SIGTERM to its SIGKILL", min=0)] = 10,
    users: Annotated[str | None, typer.Option(help="FIRST-LAST: user ids, one for each task at a time")] = None,
) -> None:
    """Take tasks of a gateway over one socket, and run them on this machine."""
    from dispatcher.cli.agent import AgentFlags, run_agent

    code = run_agent(
        AgentFlags(
            url=url,
            name=name,
            token=token,
            server_id=server_id,
            runners=[one.value for one in runner or [RunnerName.PROCESS]],
            models=models,
            allow_image=allow_image or [],
            docker_network=docker_network,
            concurrency=concurrency,
            capabilities=capability or [],
            groups=group or [],
            resources=resource or [],
            timeout=timeout,
            grace=grace,
            terminate=terminate,
            users=users,
        )
    )
    raise typer.Exit(code)


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


@apikey_app.command("create")
@told
def apikey_create(
    sub: Annotated[str, typer.Option(help="Whom it is for")],
    role: Annotated[RoleName, typer.Option(help="What it allows")],
    tenant: Annotated[str, typer.Option(help="Tenant")] = "default",
    name: Annotated[str | None, typer.Option(help="A word to know it by")] = None,
    ttl: Annotated[str | None, typer.Option(help="How long it holds: 90d... [default: for ever]")] = None,
    config: ConfigOption = None,
    env: EnvOption = None,
) -> None:
    """Print a new API key, and nothing else. It is kept as a hash: nobody can show it again."""
    from dispatcher.cli.apikey import create

    typer.echo(create(sub=sub, role=role.value, tenant=tenant, name=name or "", ttl=ttl, config=config, env=env))


@apikey_app.command("list")
@told
def apikey_list(config: ConfigOption = None, env: EnvOption = None) -> None:
    """List the API keys without their secrets: id, role, tenant, subject, made at, holds until, name."""
    from dispatcher.cli.apikey import show

    show(config=config, env=env)


@apikey_app.command("revoke")
@told
def apikey_revoke(
    key_id: Annotated[str, typer.Argument(help="The id, as list shows it")],
    config: ConfigOption = None,
    env: EnvOption = None,
) -> None:
    """Forget an API key: its next call is refused, on every gateway."""
    from dispatcher.cli.apikey import revoke

    revoke(key_id, config=config, env=env)


def main() -> NoReturn:
    """Entry point of the `dispatcher` program."""
    try:
        app()
    except SystemExit as end:
        if "granian" not in sys.modules or not isinstance(end.code, int):
            raise
        from dispatcher.launch.leave import leave

        leave(end.code)
    raise SystemExit(0)
