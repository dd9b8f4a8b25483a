"""Everything the SDK raises on purpose.

DispatcherError
├── ConnectionFailed        no connection, or it broke
├── RequestTimeout          no answer in time, or a wait that ran out
├── InvalidAnswer           an answer that is not the API's
├── StatusError             the API refused; status, code, details, request_id
│   ├── BadRequest          400
│   ├── Unauthorized        401
│   ├── Forbidden           403
│   ├── NotFound            404
│   ├── Conflict            409
│   ├── Unprocessable       422
│   ├── RateLimited         429, with retry_after
│   └── ServerError         5xx, with retry_after
└── TaskError               the task ended without a result; it is in .task
    ├── TaskFailed
    ├── TaskTimeout
    └── TaskCancelled
"""

from typing import Any

from dispatcher_sdk.models import Task


class DispatcherError(Exception):
    """The root of the tree."""


class ConnectionFailed(DispatcherError):
    """No connection to the gateway, or it broke before the answer was complete.

    `sent` is False when it is certain that nothing of the request left (connection refused, unknown host, TLS).
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class RequestTimeout(DispatcherError):
    """No answer within the request's time limit, or a task that had not ended within the time to wait for it."""


class InvalidAnswer(DispatcherError):
    """A successful status with a body that is not the API's, as some proxies send."""


class StatusError(DispatcherError):
    """The API refused the request.

    `status` is the HTTP status, `code` the stable machine-readable word (None when the answer has none), `details`
    the explanation, `request_id` what to quote when asking the operator, `retry_after` seconds to stay away or None.
    """

    def __init__(
        self,
        status: int,
        error: str,
        *,
        code: str | None = None,
        details: Any = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.error = error
        self.code = code
        self.details = details
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.status} {self.error}"
        if self.details:
            text += f": {self.details}"
        marks = [mark for mark in (self.code, self.request_id and f"request {self.request_id}") if mark]
        return f"{text} ({', '.join(marks)})" if marks else text


class BadRequest(StatusError):
    """400: the request is malformed, or the task's state does not allow the operation."""


class Unauthorized(StatusError):
    """401: no token, or one that is invalid or expired."""


class Forbidden(StatusError):
    """403: the token's role does not allow the operation."""


class NotFound(StatusError):
    """404: no such task or server, or not one of yours."""


class Conflict(StatusError):
    """409: a stale or conflicting report."""


class Unprocessable(StatusError):
    """422: the idempotency key was used with another body."""


class RateLimited(StatusError):
    """429: too many requests; `retry_after` says how many seconds to wait."""


class ServerError(StatusError):
    """5xx: the gateway could not answer."""


class TaskError(DispatcherError):
    """A task ended without a result; `task` is its last state."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.task = task

    def __str__(self) -> str:
        text = f"task {self.task.id} ended as {self.task.status}"
        return f"{text}: {self.task.error}" if self.task.error else text


class TaskFailed(TaskError):
    """FAILED: the backend said no, or the last permitted attempt failed."""


class TaskTimeout(TaskError):
    """TIMEOUT: the last permitted attempt or the deadline ran out."""


class TaskCancelled(TaskError):
    """CANCELLED: somebody cancelled it."""


BY_STATUS: dict[int, type[StatusError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Unprocessable,
    429: RateLimited,
}
BY_TASK_STATUS: dict[str, type[TaskError]] = {
    "FAILED": TaskFailed,
    "TIMEOUT": TaskTimeout,
    "CANCELLED": TaskCancelled,
}
