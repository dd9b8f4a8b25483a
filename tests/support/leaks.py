"""A fixture for packages that start tasks: import it into their conftest."""

import asyncio
from collections.abc import AsyncIterator

import pytest


@pytest.fixture(autouse=True)
async def no_task_leaks() -> AsyncIterator[None]:
    """Whatever a test starts has ended when it ends."""
    before = asyncio.all_tasks()
    yield
    for _ in range(5):
        await asyncio.sleep(0)
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}
    assert not left, f"still running: {left}"
