"""Parameters of the cluster's operations and headers of their answers, for OpenAPI."""

from collections.abc import Sequence

from dispatcher.dialects.cluster.wire_tasks import STATES
from dispatcher.dialects.cluster.wire_workers import STATUSES
from dispatcher.dialects.operation import Parameter
from dispatcher.domain.telemetry import Timeframe


def _word(name: str, words: Sequence[str], about: str) -> Parameter:
    return Parameter(name, "query", {"type": "string", "enum": list(words)}, about)


OF_WORKERS = (
    _word("status", STATUSES, "Only workers with this status"),
    Parameter("gpu_type", "query", {"type": "string"}, "Only with a GPU whose model has this text in it"),
)
OF_TASKS = (
    _word("status", list(STATES), "Only tasks with this status"),
    Parameter("worker_id", "query", {"type": "string"}, "Only tasks that this worker has or last had"),
    Parameter(
        "limit", "query", {"type": "integer", "minimum": 1, "default": 50}, "How many; above 1000 counts as 1000"
    ),
    Parameter("offset", "query", {"type": "integer", "minimum": 0, "default": 0}, "How many to pass over"),
)
TIMEFRAME = _word("timeframe", [frame.value for frame in Timeframe], "Up to now; 24h unless told")
KEY = Parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255},
    "A repeat within 24 hours answers the first task; with another body it is refused",
)
LOCATION = Parameter("Location", "header", {"type": "string"}, "Where the task is")
