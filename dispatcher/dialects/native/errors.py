"""The native error form: {error, details}, plus a stable code and the request id."""

from http import HTTPStatus
from typing import NotRequired

from typing_extensions import TypedDict

from dispatcher.domain.errors import DispatchError
from dispatcher.web.answer import encode_json
from dispatcher.web.errors import status_of

_TITLES = {
    400: "Invalid request",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    413: "Payload too large",
    415: "Unsupported media type",
    416: "Range not satisfiable",
    422: "Idempotency key reused",
    426: "Upgrade required",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
}


class ErrorAnswer(TypedDict):
    error: str
    details: str
    code: str
    requestId: str
    field: NotRequired[str]


def error_answer(error: DispatchError, request_id: str) -> ErrorAnswer:
    status = status_of(error)
    answer = ErrorAnswer(
        error=_TITLES.get(status) or HTTPStatus(status).phrase,
        details=error.message,
        code=error.code,
        requestId=request_id,
    )
    if error.field is not None:
        answer["field"] = error.field
    return answer


def error_message(error: DispatchError, request_id: str, **more: str | int) -> str:
    """The same as a message on a socket, with what else it is about."""
    return encode_json({"type": "error", **error_answer(error, request_id), **more}).decode()


def render(error: DispatchError, request_id: str) -> bytes:
    return encode_json(error_answer(error, request_id))
