"""One call of the API: build the request, retry what may be retried, turn refusals into errors."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast
from urllib.parse import quote

from pydantic import ValidationError

from dispatcher_sdk import _json
from dispatcher_sdk.errors import BY_STATUS, ConnectionFailed, InvalidAnswer, RequestTimeout, ServerError, StatusError
from dispatcher_sdk.flows.steps import Flow, Options, Pause, Request, Response
from dispatcher_sdk.models import Model, Page

M = TypeVar("M", bound=Model)

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
FIRST_DELAY = 0.5  # seconds, doubled with each retry
LONGEST_DELAY = 8.0
LONGEST_RETRY_AFTER = 60.0


def call(
    options: Options,
    method: str,
    path: str,
    *,
    query: Mapping[str, str | int | None] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    patience: float = 0.0,
    repeatable: bool | None = None,
) -> Flow[Any]:
    """Send one request and return the decoded body, None for 204; `patience` seconds are added to the time limit.

    GET, PUT and DELETE are repeatable, and so is whatever carries an Idempotency-Key, unless told otherwise.
    """
    sent = {"Accept": "application/json", **bearer(options), **(headers or {})}
    if body is not None:
        sent["Content-Type"] = "application/json"
    if repeatable is None:
        repeatable = method in {"GET", "PUT", "DELETE"} or "Idempotency-Key" in sent
    request = Request(
        method,
        path,
        query={name: str(value) for name, value in (query or {}).items() if value is not None},
        headers=sent,
        body=None if body is None else _json.dumps(body),
        timeout=options.timeout + patience,
        repeatable=repeatable,
    )
    response = yield from send(options, request)
    if response.status == 204:
        return None
    try:
        return _json.loads(response.body)
    except ValueError:
        raise InvalidAnswer(f"{method} {path} answered {response.status} with a body that is no JSON") from None


def send(options: Options, request: Request) -> Flow[Response]:
    """Send `request` until it is answered below 400; retries are spaced by `delay`.

    Only a repeatable request is sent again, or one of which nothing left. Raises ConnectionFailed, RequestTimeout or
    a StatusError.
    """
    attempt = 0
    while True:
        again = attempt < options.max_retries
        retry_after = None
        try:
            response: Response = yield request
        except ConnectionFailed as failure:
            if not (again and (request.repeatable or not failure.sent)):
                raise
        else:
            if response.status < 300:
                return response
            error = status_error(response)
            if not (again and request.repeatable and error.status in RETRIED_STATUSES):
                raise error
            retry_after = error.retry_after
        yield Pause(delay(options, attempt, retry_after))
        attempt += 1


def bearer(options: Options) -> dict[str, str]:
    """The header that shows the token, where there is one."""
    return {"Authorization": f"Bearer {options.token}"} if options.token else {}


def passing(error: StatusError | ConnectionFailed | RequestTimeout) -> bool:
    """Whether the same request may do better later."""
    return not isinstance(error, StatusError) or error.status in RETRIED_STATUSES


def delay(options: Options, attempt: int, retry_after: float | None) -> float:
    """Seconds before retry number `attempt` (from 0): exponential full jitter, after what the server asked for.

    Full jitter: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Jitter comes on top of Retry-After,
    or all the clients that were refused together would come back together.
    """
    jitter = options.rng.uniform(0.0, min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempt, 30)))
    return min(retry_after or 0.0, LONGEST_RETRY_AFTER) + jitter


def status_error(response: Response) -> StatusError:
    """The error of the tree that fits a refusal, also when its body is not the API's."""
    try:
        body = _json.loads(response.body)
    except ValueError:
        body = None
    fields = body if isinstance(body, dict) else {}
    kind = ServerError if response.status >= 500 else BY_STATUS.get(response.status, StatusError)
    return kind(
        response.status,
        str(fields.get("error") or "refused"),
        code=fields.get("code"),
        details=fields.get("details"),
        request_id=fields.get("requestId") or response.headers.get("x-request-id"),
        retry_after=_seconds(response.headers.get("retry-after")),
    )


def parse(model: type[M], body: Any, **defaults: Any) -> M:
    """`body`, completed with `defaults`, as a `model`; raises InvalidAnswer."""
    try:
        return model.model_validate({**defaults, **body} if isinstance(body, dict) else body)
    except ValidationError as error:
        raise InvalidAnswer(f"the answer is no {model.__name__}: {error.errors(include_input=False)}") from None


def parse_page(model: type[M], body: Any, key: str, offset: int) -> Page[M]:
    """One page of a listing whose items stand under `key`; raises InvalidAnswer."""
    fields = body if isinstance(body, dict) else {}
    page = parse(Page[model], {"items": fields.get(key), "total": fields.get("total"), "offset": offset})  # type: ignore[valid-type]
    return cast("Page[M]", page)


def segment(identifier: str) -> str:
    """An id as one path segment; raises ValueError for one that would name another path."""
    if not identifier.strip("."):
        raise ValueError(f"{identifier!r} is no id")
    return quote(identifier, safe="")


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields that were given."""
    return {name: value for name, value in fields.items() if value is not None}


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds (RFC 9110, section 10.2.3); the date form counts as absent."""
    return float(header) if header and header.isascii() and header.isdigit() else None
