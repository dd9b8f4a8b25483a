"""The Redis client: short time-outs, no retries of its own, raw bytes."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

TIMEOUT_S = 1.0


def _keepalive(url: str) -> dict[str, Any]:
    return {} if url.startswith("unix") else {"socket_keepalive": True}


def connect(url: str, *, max_connections: int = 64) -> Redis:
    """A client for a `redis://`, `rediss://` or `unix://` URL. Connects when first used."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=TIMEOUT_S,  # for a free connection: callers queue instead of failing
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        **_keepalive(url),
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
        health_check_interval=0,
        protocol=2,  # else redis-py 8 takes every connection for live, and each one that a restart closed fails a call
    )
    return Redis.from_pool(pool)


def connect_blocking(url: str) -> Redis:
    """A client for calls that wait for messages: its socket may stay silent for longer."""
    return Redis.from_url(
        url, socket_timeout=10.0, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0), protocol=2
    )
