"""The registry of the log operations."""

from dispatcher.dialects.native.log_routes import MOST_READ, LogRoutes
from dispatcher.dialects.native.options import TASK_PATH
from dispatcher.dialects.native.output_answers import AppendedAnswer, LogLineAnswer, LogPageAnswer
from dispatcher.dialects.native.requests import AppendLog
from dispatcher.dialects.operation import ANYBODY, REPORTERS, Example, Operation, Parameter
from dispatcher.domain import errors as e
from dispatcher.web.rates import Rate
from dispatcher.web.stream import EVENTS

TAG = "Logs"
APPEND_MAX = 4 << 20  # bytes of one batch
AFTER = Parameter(
    "after", "query", {"type": "integer", "minimum": 0, "default": 0}, "The number of the last line that was seen"
)
_LIMIT = Parameter(
    "limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST_READ, "default": MOST_READ}, "Lines at most"
)
_RESUME = Parameter(
    "Last-Event-ID", "header", {"type": "integer"}, "Goes before `after`: browsers send it by themselves"
)
_ATTEMPT = Parameter("X-Attempt", "header", {"type": "integer"}, "As `attempt` in the body")

_PATH = {"id": "task_abc123"}
_LINE = {"seq": 1, "at": 1704556811000, "attempt": 1, "stream": "stdout", "text": "step 1 of 3"}
_BATCH = {"attempt": 1, "first": 1, "lines": [{"stream": "stdout", "text": "step 1 of 3"}]}


def log_operations(routes: LogRoutes) -> list[Operation]:
    return [
        Operation(
            "appendLog", "POST", f"{TASK_PATH}/logs", TAG, "Add Lines", REPORTERS, Rate.OUTPUT, routes.append,
            answer=AppendedAnswer, request=AppendLog, parameters=(_ATTEMPT,), max_body=APPEND_MAX,
            errors=(
                e.Invalid, e.TooSlow, e.TooLarge, e.UnsupportedMedia, e.Forbidden, e.NotFound, e.IllegalState,
                e.StaleAttempt, e.AlreadyEnded,
            ),
            example=Example({"taskId": "task_abc123", "next": 2}, _BATCH, _PATH),
        ),
        Operation(
            "readLog", "GET", f"{TASK_PATH}/logs", TAG, "Read Lines", ANYBODY, Rate.DEFAULT, routes.read,
            answer=LogPageAnswer, parameters=(AFTER, _LIMIT), errors=(e.Invalid, e.NotFound), counts_itself=True,
            example=Example({"taskId": "task_abc123", "lines": [_LINE], "after": 1, "ended": False}, path=_PATH),
        ),
        Operation(
            "followLog", "GET", f"{TASK_PATH}/logs/stream", TAG, "Follow (server-sent events)", ANYBODY, Rate.DEFAULT,
            routes.stream, answer=LogLineAnswer, parameters=(AFTER, _RESUME), media=EVENTS,
            errors=(e.Invalid, e.NotFound, e.QuotaExceeded, e.Unavailable), example=Example(_LINE, path=_PATH),
        ),
    ]  # fmt: skip
