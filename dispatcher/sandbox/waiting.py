"""Wait for whichever comes first."""

import asyncio
from typing import Any


async def first(*futures: "asyncio.Future[Any]", timeout_s: float | None = None) -> None:
    """Until one of them is done, or the time is up. Nothing is cancelled, and no result is looked at."""
    await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
