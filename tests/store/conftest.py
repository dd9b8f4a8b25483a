"""One world per store: in dicts, on fakeredis, on a real engine."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.store.memory import MemoryStore
from dispatcher.store.options import StoreOptions
from tests.store import backends, redis_factory
from tests.store.backends import STORES
from tests.store.scene import OPTIONS, Scene
from tests.store.world import World
from tests.support.redis_server import binaries, running

OpenWorld = Callable[[StoreOptions], Awaitable[World]]


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, str]]:
    """The URLs of one running server per binary."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(running(binary)) for name, binary in binaries().items()}


async def _nothing() -> None:
    """The in-memory store looks at the clock itself."""


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest) -> str | None:
    """Where the store is; None for the one in dicts."""
    match request.param:
        case "memory":
            return None
        case backends.FAKEREDIS:
            return redis_factory.FAKE
    urls: dict[str, str] = request.getfixturevalue("servers")
    return urls[request.param]


@pytest.fixture
async def open_world(store_url: str | None) -> AsyncIterator[OpenWorld]:
    """Opens worlds with options of the test's own."""
    async with contextlib.AsyncExitStack() as stack:

        async def build(options: StoreOptions) -> World:
            clock = ManualClock()
            if store_url is None:
                return World(MemoryStore(clock, options), clock, _nothing)
            namespace = uuid.uuid4().hex
            store = await stack.enter_async_context(
                redis_factory.make_redis_store(store_url, clock, options, namespace)
            )
            return World(store, clock, lambda: redis_factory.set_clock(store.client, namespace, clock))

        yield build


@pytest.fixture
async def world(open_world: OpenWorld) -> World:
    """A world with the options as they ship."""
    return await open_world(StoreOptions())


@pytest.fixture
async def scene(servers: dict[str, str]) -> AsyncIterator[Scene]:
    """One task in each situation, on a real engine."""
    clock, namespace = ManualClock(), uuid.uuid4().hex
    async with redis_factory.make_redis_store(servers["wheel"], clock, OPTIONS, namespace) as store:
        world = World(store, clock, lambda: redis_factory.set_clock(store.client, namespace, clock))
        scene = Scene(world, store, namespace)
        await scene.set_up()
        yield scene
