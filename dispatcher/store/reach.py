"""What it means when Redis cannot be reached, said in one place."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import redis.exceptions

from dispatcher.domain.errors import Unavailable

# broken or refused connections, time-outs, a pool that stays empty
GONE = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError, asyncio.TimeoutError)
REFUSING = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.BusyLoadingError,
)


@contextmanager
def reachable() -> Iterator[None]:
    """Turns the client's errors about reaching the server into Unavailable."""
    try:
        yield
    except GONE as error:
        raise Unavailable("The store cannot be reached") from error
    except REFUSING as error:
        raise Unavailable("The store takes no writes now") from error
