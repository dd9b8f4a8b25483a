"""How long to wait before trying again: exponential backoff with full jitter.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Full jitter spreads retries best: each wait is
drawn evenly from 0 up to a ceiling that doubles with every failure.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, wait_exponential

from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import Unavailable

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

OUTAGE = (Unavailable, OSError)  # the store is out of reach; a broken connection and a time-out are OSErrors


class FullJitter(wait_exponential):
    """A tenacity wait like `wait_random_exponential`, with a source of chance of its own. Bounds in milliseconds."""

    def __init__(self, base_ms: int, max_ms: int, rng: random.Random) -> None:
        super().__init__(multiplier=base_ms / 1000, max=max_ms / 1000)
        self._rng = rng

    def __call__(self, retry_state: RetryCallState) -> float:
        """Seconds to wait after attempt `retry_state.attempt_number` (>= 1) failed."""
        return self._rng.uniform(0, super().__call__(retry_state))

    def delay_ms(self, failures: int) -> int:
        """Milliseconds, 0..min(max, base * 2**failures), to wait after a failure that `failures` (>= 0) others
        preceded."""
        state = RetryCallState(_OWNER, None, (), {})
        state.attempt_number = failures + 1
        return round(self(state) * 1000)


_OWNER = Retrying()  # tenacity's state wants one; it never runs anything


class Outage:
    """Carries calls of the store over the time that it is out of reach."""

    def __init__(self, *, clock: Clock, rng: random.Random, sleep: Sleep, base_ms: int = 100, max_ms: int = 2_000):
        self._clock = clock
        self._sleep = sleep
        self._wait = FullJitter(base_ms, max_ms, rng)

    async def ride_out(self, call: Callable[[], Awaitable[T]], *, limit_ms: int) -> T:
        """Repeat `call` while the store is out of reach, for at most `limit_ms`; it must be safe to repeat.

        An answer of the store, errors included, is handed on at once. Raises the last outage when the time is up.
        """
        until = self._clock.monotonic() + limit_ms / 1000
        failures = 0
        while True:
            try:
                return await call()
            except OUTAGE:
                if self._clock.monotonic() >= until:
                    raise
            await self._sleep(self._wait.delay_ms(failures) / 1000)
            failures += 1
