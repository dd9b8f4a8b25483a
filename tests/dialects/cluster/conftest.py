from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.dialects.cluster.watched import Watched
from tests.dialects.cluster.world import OpenWorld, World


@pytest.fixture
async def open_world() -> AsyncIterator[OpenWorld]:
    """Opens gateways with settings of the test's own."""
    worlds: list[World] = []

    def build(**sections: Any) -> World:
        worlds.append(World(**sections))
        return worlds[-1]

    yield build
    for world in worlds:
        await world.close()


@pytest.fixture
async def world(open_world: OpenWorld) -> World:
    return open_world()


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    world = Watched()
    await world.worker()
    yield world
    await world.close()
