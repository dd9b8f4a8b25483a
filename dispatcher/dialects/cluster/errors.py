"""The error form of the cluster: {error, message, code}, with the status of the answer for its code; plus our own
stable word as `reason`, and the request id."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from dispatcher.dialects.cluster.answers import ErrorAnswer
from dispatcher.domain.errors import Conflict, DispatchError, IllegalState, NotFound
from dispatcher.web.answer import encode_json
from dispatcher.web.errors import status_of

_DOCUMENTED = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def render(error: DispatchError, request_id: str) -> bytes:
    status = status_of(error)
    answer = ErrorAnswer(
        error=_DOCUMENTED.get(status) or HTTPStatus(status).phrase,
        message=error.message,
        code=status,
        reason=error.code,
        requestId=request_id,
    )
    if error.field is not None:
        answer["field"] = error.field
    return encode_json(answer)


@contextmanager
def about_task(task_id: str) -> Iterator[None]:
    """A state that does not allow what was asked is a conflict here."""
    try:
        yield
    except IllegalState as error:
        raise _as(Conflict(error.message, code=error.code), error) from None
    except NotFound as error:
        raise _as(NotFound(f"Task not found: {task_id[:80]}"), error) from None


@contextmanager
def about_workers() -> Iterator[None]:
    """A server of the core is a worker here."""
    try:
        yield
    except NotFound as error:
        raise _as(NotFound(error.message.replace("Server not found", "Worker not found")), error) from None


def _as(told: DispatchError, error: DispatchError) -> DispatchError:
    told.rate = error.rate
    return told
