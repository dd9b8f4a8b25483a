"""Parameters of the farm's operations and headers of their answers, for OpenAPI."""

from dispatcher.dialects.farm.options import VERSION
from dispatcher.dialects.farm.wire_tasks import STATES
from dispatcher.dialects.operation import Parameter

PAGE = (
    Parameter("page", "query", {"type": "integer", "minimum": 1, "default": 1}, "Which page"),
    Parameter("limit", "query", {"type": "integer", "minimum": 1, "default": 10}, "Page size; above 100 counts as 100"),
)
FILTERS = (
    Parameter("status", "query", {"type": "string", "enum": list(STATES)}, "Only tasks with this status"),
    Parameter("type", "query", {"type": "string"}, "Only tasks of this type"),
)
HISTORY = Parameter(
    "history",
    "query",
    {"type": "integer", "minimum": 0, "maximum": 256, "default": 0},
    "How many of the last reports to add, the newest last",
)
KEY = Parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255},
    "A repeat within 24 hours answers the first task; with another body it is refused",
)
ASKED_VERSION = Parameter(
    "X-API-Version", "header", {"type": "string", "enum": ["1", VERSION]}, "The version that the caller speaks"
)
VERSION_HEADER = Parameter("X-API-Version", "header", {"type": "string", "const": VERSION}, "The version of the API")
LOCATION = Parameter("Location", "header", {"type": "string"}, "Where the task is")
PAGED = (
    Parameter("X-Total-Count", "header", {"type": "integer"}, "How many there are in all"),
    Parameter("X-Page-Count", "header", {"type": "integer"}, "How many pages there are"),
    Parameter("Link", "header", {"type": "string"}, "`first`, `prev`, `next`, `last` (RFC 8288); not of an empty one"),
)
