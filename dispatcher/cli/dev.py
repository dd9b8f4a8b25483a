"""`dispatcher dev`: everything on this machine, for one person, with nothing to set up."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from dispatcher.app import Gateway, build, open_configured, store_of
from dispatcher.app.build import make_tokens, our_version
from dispatcher.app.options import callback_problems, public_url
from dispatcher.cli.failures import Failure, warn
from dispatcher.cli.serving import on_port, run_gateway
from dispatcher.dev.banner import banner
from dispatcher.dev.fleet import demo_fleet, forget_fleet
from dispatcher.dev.secret import development_secret, write_private
from dispatcher.dev.traffic import send_traffic
from dispatcher.domain.errors import Unavailable
from dispatcher.launch import PortInUse, free_port
from dispatcher.launch.logs import configure_logs
from dispatcher.settings import Loaded, Secrets, Settings, load
from dispatcher.store import Store
from dispatcher.store.engine import EngineError, open_engine

DRAIN_MS = 3_000  # a person waits for it
TOKEN_S = 7 * 86_400
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    demo: bool
    traffic: bool
    state: Path
    redis_url: str | None


def run_dev(
    *, host: str | None, port: int | None, demo: bool, state: Path, redis_url: str | None, traffic: bool
) -> None:
    """Run until Ctrl-C. Raises SettingsError, or Failure when it cannot start."""
    loaded = load(os.environ, flags={"server.host": host, "server.port": port})
    settings = _for_one_person(loaded)
    warn(loaded.warnings)
    configure_logs("warning" if loaded.settings.log.level == "info" else loaded.settings.log.level, "auto")
    try:
        asyncio.run(_dev(settings, Wish(demo, traffic, state, redis_url)))
    except (PortInUse, EngineError) as error:
        raise Failure(str(error)) from None
    except Unavailable as error:  # before it serves; later a store out of reach is waited for
        raise Failure(error.message) from None


def _for_one_person(loaded: Loaded) -> Settings:
    """The settings with a port that is free, and a short drain."""
    server = loaded.settings.server
    if server.host not in LOOPBACK:
        warn([f"development mode on {server.host}: others can reach it; its secret is in the state directory only"])
    warn(callback_problems(loaded.settings))
    try:
        port = free_port(server.host, server.port)
    except PortInUse as error:
        raise Failure(str(error)) from None
    if port != server.port and server.port != 0:
        typer.echo(f"port {server.port} is taken; using {port}")
    quick = server.model_copy(update={"drain_delay": 0, "drain_timeout": DRAIN_MS})
    return on_port(loaded.settings.model_copy(update={"server": quick}), port)


async def _dev(settings: Settings, wish: Wish) -> None:
    wish.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    secrets = Secrets(jwt_secret=development_secret(wish.state))
    async with _state(settings, wish) as state, contextlib.AsyncExitStack() as around:
        gateway = build(settings, secrets, state.store)
        names = await _demo(around, gateway, wish)
        tokens = make_tokens(settings, secrets)
        url = public_url(settings)

        async def ready(addresses: list[tuple[str, int]]) -> None:
            token_file = wish.state / "token"
            write_private(token_file, tokens.issue("dev", ["admin", "client"], TOKEN_S))
            if wish.traffic:
                sending = asyncio.create_task(
                    send_traffic(url, lambda sub: tokens.issue(sub, ["client"], TOKEN_S), random.Random())  # noqa: S311
                )
                around.callback(sending.cancel)
            algorithm, _ = await gateway.services.balancing.status()
            text = banner(
                version=our_version(),
                url=url,
                engine=state.name,
                durable=state.durable,
                token_file=token_file,
                servers=names,
                algorithm=algorithm,
            )
            typer.echo(text)

        await _while(state.watch(lambda death: warn([death])), run_gateway(gateway, settings, on_ready=ready))


async def _while(watching: Awaitable[None], serving: Awaitable[None]) -> None:
    """Serve until told to stop, or until the watch gives up: then with its error."""
    jobs = [asyncio.ensure_future(watching), asyncio.ensure_future(serving)]
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for job in done:
            job.result()
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _State:
    name: str
    durable: bool
    store: Store
    watch: Callable[[Callable[[str], None]], Awaitable[None]]


async def _unwatched(_: Callable[[str], None]) -> None:
    """Of a Redis that is somebody else's."""
    await asyncio.Event().wait()


@asynccontextmanager
async def _state(settings: Settings, wish: Wish) -> AsyncIterator[_State]:
    """The given Redis, or an engine of our own on the state directory."""
    if wish.redis_url is not None:
        yield _State(
            "the Redis at --redis-url", True, open_configured(settings, wish.redis_url, "--redis-url"), _unwatched
        )
        return
    async with open_engine(wish.state) as engine:
        yield _State(engine.name, engine.durable, store_of(settings, engine), engine.watch)


async def _demo(around: contextlib.AsyncExitStack, gateway: Gateway, wish: Wish) -> list[str]:
    """Start the demo servers, or forget those of an earlier run; answers their names."""
    servers = gateway.services.servers
    if not wish.demo:
        await forget_fleet(servers)
        return []
    fleet = await around.enter_async_context(demo_fleet(servers, gateway.seal_key, "native"))
    return [server.demo.name for server in fleet]
