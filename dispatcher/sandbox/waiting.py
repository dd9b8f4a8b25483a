"""Wait for whichever comes first."""

import asyncio
from collections.abc import Awaitable
from typing import Any


async def first(*futures: "asyncio.Future[Any]", timeout_s: float | None = None) -> None:
    """Until one of them is done, or the time is up. Nothing is cancelled, and no result is looked at."""
    await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)


async def first_of(*work: Awaitable[Any]) -> None:
    """Until one has ended, which may raise; the others are cancelled."""
    jobs = [asyncio.ensure_future(one) for one in work]
    try:
        await first(*jobs)
        for job in jobs:
            if job.done():
                job.result()
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
