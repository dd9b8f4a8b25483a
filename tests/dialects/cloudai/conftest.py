from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dialects.cloudai.world import World

OpenWorld = Callable[..., World]


@pytest.fixture
async def open_world(tmp_path: Path) -> AsyncIterator[OpenWorld]:
    """Opens gateways with settings of the test's own."""
    worlds: list[World] = []

    def build(**sections: Any) -> World:
        worlds.append(World(**{"files": {"directory": str(tmp_path / "files")}, **sections}))
        return worlds[-1]

    yield build
    for world in worlds:
        await world.close()


@pytest.fixture
async def world(open_world: OpenWorld) -> World:
    return open_world()
