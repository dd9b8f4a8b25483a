"""The demo servers on ports of their own, registered with the gateway like any others."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from dispatcher.dev.demo_server import FLEET, Demo, DemoServer
from dispatcher.domain.errors import DispatchError, NotFound
from dispatcher.domain.lane import Offer
from dispatcher.domain.server import Endpoints, NewServer, ServerHealth
from dispatcher.launch import on_hypercorn
from dispatcher.launch.sockets import bind
from dispatcher.service.servers import Servers

HEARTBEAT_S = 5.0
OFFER = Offer(capabilities=frozenset({"text", "image", "video"}), groups=frozenset({"demo"}))


@asynccontextmanager
async def demo_fleet(
    servers: Servers, seal: Callable[[str, str], bytes], origin: str, fleet: Sequence[Demo] = FLEET
) -> AsyncIterator[list[DemoServer]]:
    """Run the fleet on free loopback ports. Ids are stable: a restart replaces the records, with their new ports."""
    running = [DemoServer(demo) for demo in fleet]
    stop = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []
    try:
        for server in running:
            bound = bind("127.0.0.1", 0)
            url = f"http://127.0.0.1:{bound.getsockname()[1]}"
            tasks.append(asyncio.create_task(on_hypercorn.run(server, bound, stop, ping_interval_s=60)))
            await servers.register(_record(server, url, seal, origin))
            tasks.append(asyncio.create_task(_heartbeats(servers, server)))
        yield running
    finally:
        stop.set()
        for server, heartbeat in zip(running, tasks[1::2], strict=False):
            heartbeat.cancel()
            await server.stop()
        await asyncio.gather(*tasks, return_exceptions=True)


async def forget_fleet(servers: Servers, fleet: Sequence[Demo] = FLEET) -> None:
    """Take the demo servers of an earlier run off the register."""
    for demo in fleet:
        with contextlib.suppress(NotFound):
            await servers.unregister(demo.id)


def _record(server: DemoServer, url: str, seal: Callable[[str, str], bytes], origin: str) -> NewServer:
    demo = server.demo
    return NewServer(
        id=demo.id,
        origin=origin,
        name=demo.name,
        endpoints=Endpoints(predict=f"{url}/predict", health=f"{url}/health", cancel=f"{url}/cancel"),
        offer=OFFER,
        sealed_key=seal(demo.id, server.api_key),
        max_concurrent=demo.max_concurrent,
        weight=demo.weight,
    )


async def _heartbeats(servers: Servers, server: DemoServer) -> None:
    while True:
        with contextlib.suppress(DispatchError):  # unregistered by hand, or the store is away: go on
            await servers.heartbeat(
                server.demo.id,
                health=ServerHealth.HEALTHY,
                active=server.active,
                metrics=json.dumps(server.metrics()),
                boot_id=server.boot_id,
                running=server.running,
            )
        await asyncio.sleep(HEARTBEAT_S)
