"""The vocabulary between flows and drivers."""

import random
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from dispatcher_sdk.models import Page

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One HTTP request. `url` is a path below the gateway's URL or absolute; `timeout` is in seconds.

    `repeatable` says that sending it twice does no more than sending it once.
    """

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # carries tokens
    body: bytes | None = field(default=None, repr=False)
    timeout: float = 30.0
    repeatable: bool = False


@dataclass(frozen=True)
class Response:
    """One HTTP response; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Pause:
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True)
class Open:
    """Send a request whose answer is read as it comes; one that was open before is let go."""

    request: Request


@dataclass(frozen=True)
class Read:
    """The next bytes of the answer that is open; none at its end."""


@dataclass(frozen=True)
class Save:
    """Write to a file."""

    file: "Writable" = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Item(Generic[T]):
    """Something for whoever iterates."""

    value: T


class Writable(Protocol):
    """A file that is open for writing bytes."""

    def write(self, data: bytes, /) -> object: ...


# A flow is sent the Response after a Request, the same (with a body only when it refuses) after an Open, bytes after a
# Read, and nothing of interest after a Pause or a Save; a request that got no answer, and an answer that breaks off,
# has its error thrown into the flow.
Step: TypeAlias = Request | Pause | Open | Read | Save
Flow: TypeAlias = Generator[Step, Any, T]


@dataclass(frozen=True)
class Options:
    """What all flows of one client share. `timeout` is seconds per request, `max_retries` follows the first try."""

    token: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    max_retries: int = 2
    clock: Callable[[], float] = time.monotonic
    rng: random.Random = field(default_factory=random.Random, repr=False)
    new_key: Callable[[], str] = lambda: str(uuid.uuid4())


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A listing that is fetched page by page: `page(offset)` is the flow of one."""

    page: Callable[[int], Flow[Page[T]]]


@dataclass(frozen=True)
class Tail(Generic[T]):
    """What comes bit by bit: `steps()` is the flow that hands it out."""

    steps: Callable[[], Generator[Step | Item[T], Any, None]]
