"""The fleet's stream as it comes, for those who follow all of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from dispatcher.domain.event import FleetEvent

BEHIND_MOST = 10_000  # events that a follower has not fetched; the oldest go first


class Feed:
    """Live only: what came before somebody follows, and what is told while the stream is interrupted, is not told
    again."""

    def __init__(self) -> None:
        self._followers: set[asyncio.Queue[FleetEvent]] = set()

    def publish(self, event: FleetEvent) -> None:
        """Called by the loop that reads the stream."""
        for queue in self._followers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    @contextmanager
    def follow(self) -> Iterator["asyncio.Queue[FleetEvent]"]:
        """Events from now on, for the length of the block."""
        queue: asyncio.Queue[FleetEvent] = asyncio.Queue(BEHIND_MOST)
        self._followers.add(queue)
        try:
            yield queue
        finally:
            self._followers.discard(queue)
