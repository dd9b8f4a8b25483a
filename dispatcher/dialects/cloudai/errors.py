"""The error form of CloudAI: {error}, plus a stable code and the request id."""

from dispatcher.dialects.cloudai.answers import ErrorAnswer
from dispatcher.domain.errors import DispatchError
from dispatcher.web.answer import encode_json


def render(error: DispatchError, request_id: str) -> bytes:
    return encode_json(ErrorAnswer(error=error.message, code=error.code, requestId=request_id))
