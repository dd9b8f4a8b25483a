"""Everything a caller can be told went wrong.

    DispatchError                 code                    meaning
    |- Invalid                    INVALID_REQUEST         the request is not understood (`field` names the place)
    |- Unauthorized               UNAUTHORIZED            no token, or none that holds
    |- Forbidden                  FORBIDDEN               a good token without the right
    |- NotFound                   NOT_FOUND               no such thing, or somebody else's
    |- IllegalState               ILLEGAL_STATE           the task's state does not allow it
    |- Conflict                   CONFLICT                the change meets another one
    |  |- StaleAttempt            STALE_ATTEMPT           a newer attempt, or none, has the task
    |  |- Replaced                REPLACED                another connection of the same worker took over
    |  |- ConflictingResult       CONFLICT_RESULT         another end was already recorded for this attempt
    |  |- NoControl               NO_CONTROL_CHANNEL      its worker cannot be told to pause
    |  |- NoRunner                NO_MODEL_RUNNER         a worker loads no models
    |  |- OperationRunning        OPERATION_RUNNING       another operation works on the same thing
    |  |- NoRoom                  NO_ROOM                 a server has not so much left
    |  |- ModelBusy               MODEL_BUSY              a model is being loaded or unloaded there
    |  |- TooMany                 TOO_MANY                commands, models or operations are at their bound
    |  `- AlreadyEnded            CANCELLED | TIMEOUT ... the task ended otherwise
    |- KeyReused                  IDEMPOTENCY_KEY_REUSED  same key, other body
    |- TooLarge                   PAYLOAD_TOO_LARGE
    |- TooSlow                    REQUEST_TIMEOUT         the body did not arrive in time
    |- UnsupportedMedia           UNSUPPORTED_MEDIA_TYPE
    |- MethodNotAllowed           METHOD_NOT_ALLOWED
    |- UpgradeRequired            UPGRADE_REQUIRED        a WebSocket is spoken there
    |- RateLimited                RATE_LIMITED            `retry_after_s` tells when
    |- QuotaExceeded              QUOTA_EXCEEDED          the tenant's share of the queue is full (429)
    |- Overrun                    TOO_SLOW                a reader did not take a stream in time
    |- OutOfRange                 RANGE_NOT_SATISFIABLE   the asked part lies outside of a file of `size` bytes
    `- Unavailable                UNAVAILABLE             store out of reach, queue full, draining (503)

Every message is written for the caller: it never holds a secret, an exception text or an internal address.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateState:
    """Where a principal stands within a rate rule. `reset_ms` is the end of the fixed window, epoch milliseconds."""

    limit: int
    remaining: int
    reset_ms: int


def tightest(states: Iterable[RateState]) -> RateState:
    """The one with the fewest calls left; one without a limit only where all are so."""
    return min(states, key=lambda state: state.remaining if state.limit else math.inf)


class DispatchError(Exception):
    """Base of all. `code` is stable, `message` the text for people, `context` what dialects with room for it add;
    `rate` is set by who counted the call."""

    code = "INTERNAL_ERROR"
    rate: RateState | None = None

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.context: dict[str, str | int] = {}
        if code is not None:
            self.code = code


@contextmanager
def counted(rate: RateState | None) -> Iterator[None]:
    """What is raised in here tells where the caller stands: its call was counted before."""
    try:
        yield
    except DispatchError as error:
        error.rate = rate
        raise


class Invalid(DispatchError):
    code = "INVALID_REQUEST"


class Unauthorized(DispatchError):
    code = "UNAUTHORIZED"


class Forbidden(DispatchError):
    code = "FORBIDDEN"


class NotFound(DispatchError):
    code = "NOT_FOUND"


class IllegalState(DispatchError):
    code = "ILLEGAL_STATE"


class Conflict(DispatchError):
    code = "CONFLICT"


class StaleAttempt(Conflict):
    code = "STALE_ATTEMPT"


class Replaced(Conflict):
    code = "REPLACED"


class ConflictingResult(Conflict):
    code = "CONFLICT_RESULT"


class NoControl(Conflict):
    code = "NO_CONTROL_CHANNEL"


class NoRunner(Conflict):
    code = "NO_MODEL_RUNNER"


class OperationRunning(Conflict):
    code = "OPERATION_RUNNING"


class NoRoom(Conflict):
    code = "NO_ROOM"


class ModelBusy(Conflict):
    code = "MODEL_BUSY"


class TooMany(Conflict):
    code = "TOO_MANY"


class AlreadyEnded(Conflict):
    """The task ended otherwise; `code` is its state."""


class KeyReused(DispatchError):
    code = "IDEMPOTENCY_KEY_REUSED"


class TooLarge(DispatchError):
    code = "PAYLOAD_TOO_LARGE"


class TooSlow(DispatchError):
    code = "REQUEST_TIMEOUT"


class UnsupportedMedia(DispatchError):
    code = "UNSUPPORTED_MEDIA_TYPE"


class MethodNotAllowed(DispatchError):
    code = "METHOD_NOT_ALLOWED"

    def __init__(self, message: str, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow


class UpgradeRequired(DispatchError):
    code = "UPGRADE_REQUIRED"


class RateLimited(DispatchError):
    code = "RATE_LIMITED"

    def __init__(self, message: str, state: RateState, retry_after_s: int) -> None:
        super().__init__(message)
        self.state = self.rate = state
        self.retry_after_s = retry_after_s


class QuotaExceeded(DispatchError):
    code = "QUOTA_EXCEEDED"
    retry_after_s = 1


class Unavailable(DispatchError):
    code = "UNAVAILABLE"

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UploadExpired(Unavailable):
    """It took so long that its bytes are given up: nothing was recorded."""


class Overrun(DispatchError):
    code = "TOO_SLOW"


class OutOfRange(DispatchError):
    code = "RANGE_NOT_SATISFIABLE"

    def __init__(self, message: str, size: int = 0) -> None:
        super().__init__(message)
        self.size = size
