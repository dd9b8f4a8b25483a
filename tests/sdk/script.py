"""Play a flow by hand: answers in, steps out, no I/O."""

import json
import random
from collections.abc import Callable
from typing import Any, TypeVar

from dispatcher_sdk.errors import DispatcherError
from dispatcher_sdk.flows.steps import Flow, Options, Pause, Request, Response

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


def play(
    flow: Flow[T], *answers: Response | DispatcherError | Callable[[Request], Response], clock: Clock | None = None
) -> tuple[T, list[Request | Pause]]:
    """Drive `flow` to its end with these answers, in order; pauses advance the clock. Returns result and steps."""
    steps: list[Request | Pause] = []
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
            given = left.pop(0)
            if isinstance(given, DispatcherError):
                step = flow.throw(given)
            else:
                step = flow.send(given if isinstance(given, Response) else given(step))
    except StopIteration as stop:
        assert not left, "answers were left over"
        result: T = stop.value
        return result, steps


def requests(steps: list[Request | Pause]) -> list[Request]:
    return [step for step in steps if isinstance(step, Request)]


def pauses(steps: list[Request | Pause]) -> list[float]:
    return [step.seconds for step in steps if isinstance(step, Pause)]


def body(request: Request) -> Any:
    assert request.body is not None
    return json.loads(request.body)
