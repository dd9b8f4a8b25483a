"""What `dev` and `serve` share: an ASGI server around a gateway, from start to stop."""

from collections.abc import Awaitable, Callable

from dispatcher.app import Gateway
from dispatcher.app.options import launch_options
from dispatcher.launch import Listen, Options, launch
from dispatcher.settings import Settings

OnReady = Callable[[list[tuple[str, int]]], Awaitable[None]]


def listens(gateway: Gateway, settings: Settings) -> list[Listen]:
    """The main port, and one per configured listener."""
    main = Listen(gateway.asgi, settings.server.host, settings.server.port)
    others = zip(gateway.apps, settings.listeners, strict=True)
    return [main, *(Listen(app, listener.host, listener.port) for app, listener in others)]


def on_port(settings: Settings, port: int) -> Settings:
    """The same settings with another port: the URL that servers report to is made of it."""
    return settings.model_copy(update={"server": settings.server.model_copy(update={"port": port})})


async def run_gateway(gateway: Gateway, settings: Settings, *, on_ready: OnReady) -> None:
    """Serve until a signal says stop; the gateway is stopped whatever happens. Raises PortInUse."""
    options: Options = launch_options(settings)
    try:
        await gateway.start()
        await launch(listens(gateway, settings), gateway, options, on_ready=on_ready)
    finally:
        await gateway.stop()
