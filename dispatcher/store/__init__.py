"""The store: every task, server and count, in Redis. The only importer of the Redis client.

`open_store` connects the ports over one client; `store.memory` implements the same ports in dicts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import Redis

from dispatcher.service.ports import (
    BatchStore,
    CommandStore,
    Coordination,
    FileStore,
    KeyStore,
    LogStore,
    OperationStore,
    PlacementStore,
    ServerStore,
    StatsStore,
    TaskStore,
    TelemetryStore,
)
from dispatcher.store.apikeys import RedisKeys
from dispatcher.store.batches import RedisBatches
from dispatcher.store.commands import RedisCommands
from dispatcher.store.connection import connect, connect_blocking
from dispatcher.store.coordination import RedisCoordination
from dispatcher.store.files import RedisFiles
from dispatcher.store.fleet import DEFAULT_ALGORITHM, Fleet
from dispatcher.store.logs import RedisLogs
from dispatcher.store.operations import RedisOperations
from dispatcher.store.options import StoreOptions
from dispatcher.store.placements import RedisPlacements
from dispatcher.store.runner import Runner
from dispatcher.store.servers import RedisServers
from dispatcher.store.stats import RedisStats
from dispatcher.store.tasks import RedisTasks
from dispatcher.store.telemetry import RedisTelemetry

__all__ = ["Store", "StoreOptions", "connect", "open_store", "store_on"]


@dataclass(frozen=True, slots=True)
class Store:
    """The ports over one namespace, and how to close them."""

    tasks: TaskStore
    servers: ServerStore
    stats: StatsStore
    coordination: Coordination
    batches: BatchStore
    logs: LogStore
    files: FileStore
    telemetry: TelemetryStore
    commands: CommandStore
    operations: OperationStore
    placements: PlacementStore
    keys: KeyStore
    client: Redis

    async def close(self) -> None:
        await self.client.aclose()


def store_on(
    client: Redis,
    blocking: Callable[[], Redis],
    *,
    namespace: str = "dispatcher",
    options: StoreOptions | None = None,
    algorithm: str = DEFAULT_ALGORITHM,
    test_clock: bool = False,
) -> Store:
    """A store on a given client. `blocking` makes clients for readers that wait. `test_clock` reads the time from a
    key that a test moves."""
    runner = Runner(client, namespace, options or StoreOptions(), test_clock=test_clock)
    fleet = Fleet(runner, algorithm)
    return Store(
        tasks=RedisTasks(runner, fleet),
        servers=RedisServers(runner, fleet),
        stats=RedisStats(runner),
        coordination=RedisCoordination(runner, blocking),
        batches=RedisBatches(runner, fleet),
        logs=RedisLogs(runner),
        files=RedisFiles(runner),
        telemetry=RedisTelemetry(runner),
        commands=RedisCommands(runner),
        operations=RedisOperations(runner),
        placements=RedisPlacements(runner),
        keys=RedisKeys(runner),
        client=client,
    )


def open_store(
    url: str, *, namespace: str = "dispatcher", options: StoreOptions | None = None, algorithm: str = DEFAULT_ALGORITHM
) -> Store:
    """A store at a `redis://`, `rediss://` or `unix://` URL; nothing is sent yet."""
    return store_on(
        connect(url), lambda: connect_blocking(url), namespace=namespace, options=options, algorithm=algorithm
    )
