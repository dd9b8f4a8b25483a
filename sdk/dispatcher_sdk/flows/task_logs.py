"""Flows of the logs of tasks: page by page, and followed as they come."""

from collections.abc import Generator
from typing import Any

from dispatcher_sdk import _json
from dispatcher_sdk.errors import ConnectionFailed, InvalidAnswer, RequestTimeout, StatusError
from dispatcher_sdk.flows.events import Event, Events
from dispatcher_sdk.flows.send import bearer, call, delay, parse, passing, status_error
from dispatcher_sdk.flows.steps import Flow, Item, Open, Options, Pause, Read, Request, Response, Step, Tail
from dispatcher_sdk.flows.tasks import path_of
from dispatcher_sdk.models import Task
from dispatcher_sdk.output_models import LogLine, LogPage

SILENCE = 30.0  # seconds; a stream without lines brings a sign of life every 15
EVENTS = "text/event-stream"
STATUSES = {"NOT_FOUND": 404, "UNAUTHORIZED": 401, "QUOTA_EXCEEDED": 429, "TOO_SLOW": 503, "UNAVAILABLE": 503}


def read(options: Options, task: str | Task, *, after: int = 0, limit: int = 1000) -> Flow[LogPage]:
    """Up to `limit` (1..1000) lines after the one with the number `after`; the page says where the next one begins, and
    whether there will be more lines."""
    query = {"after": after, "limit": limit}
    return parse(LogPage, (yield from call(options, "GET", f"{path_of(task)}/logs", query=query)))


def follow(options: Options, task: str | Task, *, after: int = 0) -> Tail[LogLine]:
    """Iterate over the lines after number `after`: those that are there, then each as it comes, until the task has
    ended and all it said was read.

    A connection that breaks is opened again, and goes on where it broke, each line once; after `max_retries` failures
    in a row without a line in between the last one is raised.
    """

    def steps() -> Generator[Step | Item[LogLine], Any, None]:
        at, failures = after, 0
        while True:
            try:
                yield from _opened(options, task, at)
                events = Events()
                while data := (yield Read()):
                    for event in events.feed(data):
                        if event.name == "end":
                            return
                        if event.name == "failure":
                            raise _failure(event)
                        if event.name == "":
                            line = parse(LogLine, _decoded(event))
                            at, failures = line.seq, 0
                            yield Item(line)
                raise ConnectionFailed("the log broke off", sent=True)
            except (ConnectionFailed, RequestTimeout, StatusError) as error:
                if failures >= options.max_retries or not passing(error):
                    raise
                retry_after = getattr(error, "retry_after", None)
            yield Pause(delay(options, failures, retry_after))
            failures += 1

    return Tail(steps)


def _opened(options: Options, task: str | Task, at: int) -> Generator[Step, Any, None]:
    """Raises what the gateway refuses with, InvalidAnswer."""
    headers = {"Accept": EVENTS, **bearer(options)}
    patience = options.timeout + SILENCE
    request = Request("GET", f"{path_of(task)}/logs/stream", {"after": str(at)}, headers, None, patience, True)
    response: Response = yield Open(request)
    if response.status >= 300:
        raise status_error(response)
    if not response.headers.get("content-type", "").startswith(EVENTS):
        raise InvalidAnswer(f"the log of a task came as {response.headers.get('content-type')}")


def _failure(event: Event) -> StatusError:
    """The error that stands in the place of more lines."""
    fields = _decoded(event)
    code = fields.get("code") if isinstance(fields, dict) else None
    return status_error(Response(STATUSES.get(str(code), 500), {}, event.data))


def _decoded(event: Event) -> Any:
    try:
        return _json.loads(event.data)
    except ValueError:
        raise InvalidAnswer("a line of the log is no JSON") from None
