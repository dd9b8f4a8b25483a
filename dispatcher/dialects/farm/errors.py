"""The error form of the farm: {error: {code, message, details}}, in the document's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from dispatcher.dialects.farm.answers import ErrorAnswer, ErrorBody
from dispatcher.domain.errors import Conflict, DispatchError, IllegalState, NotFound, Unavailable
from dispatcher.web.answer import encode_json

# for all of their kind
_WORDS = {Conflict: Conflict.code, IllegalState: Conflict.code, Unavailable: "SERVICE_UNAVAILABLE"}


def render(error: DispatchError, request_id: str) -> bytes:
    return encode_json(ErrorAnswer(error=error_body(error, request_id)))


def error_body(error: DispatchError, request_id: str) -> ErrorBody:
    """`details` always names the request; `reason` says which conflict it is."""
    code = code_of(error)
    details: dict[str, str | int] = {"requestId": request_id, **error.context}
    if error.field is not None:
        details["field"] = error.field
    if code != error.code:
        details["reason"] = error.code
    return ErrorBody(code=code, message=error.message, details=details)


def code_of(error: DispatchError) -> str:
    """The document's word for an error; our own where it has none."""
    return _word(type(error)) or error.code


def word_of(kind: type[DispatchError]) -> str:
    """As `code_of`, for a kind of error."""
    return _word(kind) or kind.code


def _word(kind: type[DispatchError]) -> str | None:
    return next((word for known, word in _WORDS.items() if issubclass(kind, known)), None)


@contextmanager
def about_task() -> Iterator[None]:
    """A state that does not allow what was asked is a conflict here; an id is told by its own word."""
    try:
        yield
    except IllegalState as error:
        raise _as(Conflict(error.message, code=error.code), error) from None
    except NotFound as error:
        raise _as(NotFound("Task not found"), error) from None


def _as(told: DispatchError, error: DispatchError) -> DispatchError:
    told.rate = error.rate
    return told
