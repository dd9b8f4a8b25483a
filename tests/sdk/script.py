"""Play a flow by hand: answers in, steps out, no I/O."""

import json
import random
from collections.abc import Callable
from typing import Any, TypeVar

from dispatcher_sdk.errors import DispatcherError
from dispatcher_sdk.flows.steps import Flow, Item, Open, Options, Pause, Read, Request, Response, Save, Step, Tail

T = TypeVar("T")


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class HalfRandom(random.Random):
    """The middle of every interval."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def options(clock: Callable[[], float] | None = None, **changes: Any) -> Options:
    return Options(token="secret", clock=clock or Clock(), rng=HalfRandom(), new_key=lambda: "key-1", **changes)


def answer(status: int, body: Any = None, **headers: str) -> Response:
    return Response(status, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(body or {}).encode())


Given = Response | bytes | DispatcherError | Callable[[Request], Response]


def play(flow: Flow[T], *answers: Given, clock: Clock | None = None) -> tuple[T, list[Step]]:
    """Drive `flow` to its end with these answers, in order; pauses advance the clock. Returns result and steps. Bytes
    are what is read of an answer that is open."""
    steps: list[Step] = []
    left = list(answers)
    step = next(flow)
    try:
        while True:
            steps.append(step)
            if isinstance(step, Pause):
                if clock is not None:
                    clock.now += step.seconds
                step = flow.send(None)
                continue
            if isinstance(step, Save):
                step.file.write(step.data)
                step = flow.send(None)
                continue
            given = left.pop(0)
            if isinstance(given, DispatcherError):
                step = flow.throw(given)
            elif isinstance(given, bytes):
                assert isinstance(step, Read)
                step = flow.send(given)
            elif isinstance(given, Response):
                step = flow.send(given)
            else:
                assert isinstance(step, Request)
                step = flow.send(given(step))
    except StopIteration as stop:
        assert not left, "answers were left over"
        result: T = stop.value
        return result, steps


def followed(tail: Tail[T], *answers: Given) -> tuple[list[T], list[Step]]:
    """What a tail hands out, and its steps."""
    found: list[T] = []

    def flow() -> Flow[None]:
        inner, sent, error = tail.steps(), None, None
        while True:
            try:
                step = inner.send(sent) if error is None else inner.throw(error)
            except StopIteration:
                return
            sent = error = None
            if isinstance(step, Item):
                found.append(step.value)
                continue
            try:
                sent = yield step
            except DispatcherError as thrown:
                error = thrown

    _, steps = play(flow(), *answers)
    return found, steps


def requests(steps: list[Step]) -> list[Request]:
    return [step.request if isinstance(step, Open) else step for step in steps if isinstance(step, Request | Open)]


def pauses(steps: list[Step]) -> list[float]:
    return [step.seconds for step in steps if isinstance(step, Pause)]


def body(request: Request) -> Any:
    assert request.body is not None
    return json.loads(request.body)
