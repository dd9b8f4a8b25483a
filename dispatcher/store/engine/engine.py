"""What a running state engine is to those who use it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from redis.asyncio import Redis


class EngineError(Exception):
    """No state engine could be started; the message is for the person at the terminal."""


class StateInUse(EngineError):
    """Another process holds the state directory."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine.

    `url` is what a store connects to; an engine in this process has none but `memory:`, so that `client` must be used.
    `client` makes a new connection pool. `durable`: what was acknowledged survives a crash of everything.
    `watch` runs until cancelled and starts a dead engine again on the same data, at the same URL; the function that it
    takes is told of each death. It raises EngineError when it gives up.
    """

    name: str
    url: str
    durable: bool
    client: Callable[[], Redis]
    watch: Callable[[Callable[[str], None]], Awaitable[None]]
