"""Turn flows into methods. A method's name, arguments and documentation stand once, at its flow; `blocking` and
`awaitable` make the two twins of it, so that they cannot drift apart."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, get_type_hints

from dispatcher_sdk.drivers import AsyncDriver, Driver
from dispatcher_sdk.flows.steps import Flow, Listing, Options, Tail
from dispatcher_sdk.models import Page

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Bound:
    """Methods of the blocking client."""

    def __init__(self, driver: Driver, options: Options) -> None:
        self._driver = driver
        self._options = options


class AsyncBound:
    """Methods of the asyncio client."""

    def __init__(self, driver: AsyncDriver, options: Options) -> None:
        self._driver = driver
        self._options = options


class Pager(Generic[T]):
    """Iterate over a whole listing; the following page is fetched when the last one is used up.

    What is created or removed in the meantime may shift the pages: an item may then come twice or not at all.
    """

    def __init__(self, driver: Driver, listing: Listing[T]) -> None:
        self._driver = driver
        self._listing = listing

    def page(self, offset: int = 0) -> Page[T]:
        """One page, starting at `offset`."""
        return self._driver.run(self._listing.page(offset))

    def __iter__(self) -> Iterator[T]:
        offset: int | None = 0
        while offset is not None:
            page = self.page(offset)
            yield from page.items
            offset = page.next_offset


class AsyncPager(Generic[T]):
    """The same with `async for`."""

    def __init__(self, driver: AsyncDriver, listing: Listing[T]) -> None:
        self._driver = driver
        self._listing = listing

    async def page(self, offset: int = 0) -> Page[T]:
        """One page, starting at `offset`."""
        return await self._driver.run(self._listing.page(offset))

    async def __aiter__(self) -> AsyncIterator[T]:
        offset: int | None = 0
        while offset is not None:
            page = await self.page(offset)
            for item in page.items:
                yield item
            offset = page.next_offset


def blocking(flow: Callable[Concatenate[Options, P], Flow[T]]) -> Callable[Concatenate[Any, P], T]:
    """A method that runs `flow` and returns its result."""

    def method(self: Bound, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._driver.run(flow(self._options, *args, **kwargs))

    return _presented(method, flow)


def awaitable(
    flow: Callable[Concatenate[Options, P], Flow[T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """A method that runs `flow` when awaited."""

    async def method(self: AsyncBound, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._driver.run(flow(self._options, *args, **kwargs))

    return _presented(method, flow)


def pages(listing: Callable[Concatenate[Options, P], Listing[T]]) -> Callable[Concatenate[Any, P], Pager[T]]:
    """A method that returns an iterator over the listing."""

    def method(self: Bound, /, *args: P.args, **kwargs: P.kwargs) -> Pager[T]:
        return Pager(self._driver, listing(self._options, *args, **kwargs))

    return _presented(method, listing)


def async_pages(listing: Callable[Concatenate[Options, P], Listing[T]]) -> Callable[Concatenate[Any, P], AsyncPager[T]]:
    """A method that returns an asynchronous iterator over the listing."""

    def method(self: AsyncBound, /, *args: P.args, **kwargs: P.kwargs) -> AsyncPager[T]:
        return AsyncPager(self._driver, listing(self._options, *args, **kwargs))

    return _presented(method, listing)


def tailing(
    tail: Callable[Concatenate[Options, P], Tail[T]],
) -> Callable[Concatenate[Any, P], Generator[T, None, None]]:
    """A method that returns an iterator over what comes; closing it (`close()`) lets go of the connection."""

    def method(self: Bound, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        return self._driver.iterate(tail(self._options, *args, **kwargs))

    return _presented(method, tail)


def async_tailing(
    tail: Callable[Concatenate[Options, P], Tail[T]],
) -> Callable[Concatenate[Any, P], AsyncGenerator[T, None]]:
    """A method that returns an asynchronous iterator over what comes; closing it (`aclose()`) lets go of the
    connection."""

    def method(self: AsyncBound, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
        return self._driver.iterate(tail(self._options, *args, **kwargs))

    return _presented(method, tail)


def _presented(method: F, source: Callable[..., Any]) -> F:
    """Give the method the source's documentation and signature, with `self` in place of the options."""
    signature = inspect.signature(source)
    first, *rest = signature.parameters.values()
    returned = get_args(get_type_hints(source)["return"])[-1]
    method.__doc__ = source.__doc__
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[first.replace(name="self", annotation=inspect.Parameter.empty), *rest], return_annotation=returned
    )
    return method
