"""The error form of the job queue: {error, context}, plus a stable code and the request id."""

from collections.abc import Iterator
from contextlib import contextmanager

from dispatcher.dialects.jobs.answers import ErrorAnswer
from dispatcher.domain.errors import Conflict, DispatchError, Forbidden, IllegalState, NotFound
from dispatcher.web.answer import encode_json


def render(error: DispatchError, request_id: str) -> bytes:
    context = dict(error.context)
    if error.field is not None:
        context.setdefault("field", error.field)
    return encode_json(ErrorAnswer(error=error.message, context=context, code=error.code, requestId=request_id))


@contextmanager
def about(job_id: str) -> Iterator[None]:
    """Errors within are about this job."""
    try:
        yield
    except DispatchError as error:
        told = NotFound("Job not found") if isinstance(error, NotFound) else error
        told.context["job_id"] = job_id[:80]
        told.rate = error.rate
        raise told from None


@contextmanager
def refused_as(kind: type[DispatchError], message: str) -> Iterator[None]:
    """A report by an executor that does not hold the job, or on one that has ended, is refused in the document's
    way: it knows neither 403 nor 409 here."""
    try:
        yield
    except (Conflict, Forbidden, IllegalState) as error:
        told = kind(message, code=error.code)
        told.context, told.rate = error.context, error.rate
        raise told from None
