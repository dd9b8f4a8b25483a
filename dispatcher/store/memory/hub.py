"""Streams within one process: the fleet's events and each gateway's inbox."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from dispatcher.domain.event import FleetEvent, InboxMessage

PRESENCE_MS = 3_000
KEPT = 10_000  # unread entries; the oldest go first

T = TypeVar("T")


class Stream(Generic[T]):
    """Every reader gets every entry from its start on."""

    def __init__(self) -> None:
        self._readers: list[asyncio.Queue[T]] = []

    def publish(self, entry: T) -> None:
        for queue in self._readers:
            if queue.qsize() >= KEPT:
                queue.get_nowait()
            queue.put_nowait(entry)

    def read(self) -> AsyncIterator[T]:
        queue: asyncio.Queue[T] = asyncio.Queue()
        self._readers.append(queue)
        return self._follow(queue)

    async def _follow(self, queue: asyncio.Queue[T]) -> AsyncIterator[T]:
        try:
            while True:
                yield await queue.get()
        finally:
            self._readers.remove(queue)


class Hub:
    def __init__(self) -> None:
        self.fleet: Stream[FleetEvent] = Stream()
        self._inboxes: dict[str, Stream[InboxMessage]] = {}
        self._present: dict[str, int] = {}  # gateway -> until
        self._events = 0

    def event(self, kind: str, fields: dict[str, str]) -> None:
        self._events += 1
        self.fleet.publish(FleetEvent(str(self._events), kind, fields))

    def inbox(self, gateway: str) -> Stream[InboxMessage]:
        return self._inboxes.setdefault(gateway, Stream())

    def tell(self, gateway: str, kind: str, task_id: str = "") -> None:
        self.inbox(gateway).publish(InboxMessage(kind, task_id))

    def wake(self, now_ms: int) -> None:
        """Tell one of the gateways that are present to look for work."""
        living = [gateway for gateway, until in self._present.items() if until > now_ms]
        if living:
            self.tell(living[now_ms % len(living)], "wake")

    def present(self, gateway: str, now_ms: int) -> None:
        self._present[gateway] = now_ms + PRESENCE_MS

    def lives(self, gateway: str, now_ms: int) -> bool:
        return self._present.get(gateway, 0) > now_ms

    def leave(self, gateway: str) -> None:
        self._present.pop(gateway, None)
        self._inboxes.pop(gateway, None)
