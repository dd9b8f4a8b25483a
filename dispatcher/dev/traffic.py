"""Traffic on request: a few tasks per second, as a handful of users would send them."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable

from dispatcher.dev.loopback_http import send_json

USERS = 20  # each well below the limit of its own
TASKS_PER_S = 4.0
TYPES = ("text-generation", "image-processing", "video-processing")


async def send_traffic(url: str, token_for: Callable[[str], str], rng: random.Random) -> None:
    """Create tasks at the gateway `url` until cancelled; `token_for` makes the token of a user."""
    tokens = [token_for(f"demo-user-{number}") for number in range(1, USERS + 1)]
    async with asyncio.TaskGroup() as sending:
        for number, token in enumerate(itertools.cycle(tokens), start=1):
            sending.create_task(_send(url, token, rng.choice(TYPES), number))
            await asyncio.sleep(rng.expovariate(TASKS_PER_S))


async def _send(url: str, token: str, kind: str, number: int) -> None:
    body = {"type": kind, "priority": number % 3, "payload": {"number": number}}
    with contextlib.suppress(OSError, TimeoutError):  # the gateway is stopping
        await send_json("POST", f"{url}/api/task", {"Authorization": f"Bearer {token}"}, body)
