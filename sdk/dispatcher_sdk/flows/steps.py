"""The vocabulary between flows and drivers."""

import random
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

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


# A flow is sent the Response after a Request and nothing of interest after a Pause; a request that got no answer has
# its error thrown into the flow.
Flow: TypeAlias = Generator[Request | Pause, Any, T]


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
