"""Server-sent events, as far as the gateway uses them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from dispatcher_sdk.errors import InvalidAnswer

MOST_WAITING = 16 << 20  # bytes of one event


@dataclass(frozen=True)
class Event:
    """`name` is empty for the usual ones."""

    name: str
    data: bytes


class Events:
    """Takes bytes as they come and hands out the events that are complete."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Comments are left out. Raises InvalidAnswer for an event that does not end."""
        *blocks, self._rest = (self._rest + data.replace(b"\r", b"")).split(b"\n\n")
        if len(self._rest) > MOST_WAITING:
            raise InvalidAnswer("an event has no end")
        for block in blocks:
            fields: dict[bytes, bytes] = {}
            for line in block.split(b"\n"):
                name, _, value = line.partition(b":")
                fields[name] = value.removeprefix(b" ")
            if b"data" in fields:
                yield Event(fields.get(b"event", b"").decode("utf-8", "replace"), fields[b"data"])
