"""Parameters of CloudAI's operations and headers of its answers, for OpenAPI."""

from dispatcher.dialects.cloudai.options import MOST_LISTED
from dispatcher.dialects.cloudai.wire_tasks import STATES
from dispatcher.dialects.operation import Parameter

PAGE = (
    Parameter(
        "limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": MOST_LISTED}, "Page size"
    ),
    Parameter("offset", "query", {"type": "integer", "minimum": 0, "default": 0}, "Where the page starts"),
)
STATUS = Parameter("status", "query", {"type": "string", "enum": list(STATES)}, "Only tasks with this status")
USER = Parameter("user_id", "query", {"type": "string"}, "Required: the user id that the tasks were handed in under")
ASKING = Parameter("requesting_user", "query", {"type": "string"}, "Who asks: has to be the subject of the token")
KEY = Parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255},
    "A repeat within 24 hours answers the first task; with another body it is refused",
)
RANGE = Parameter("Range", "header", {"type": "string"}, "One part of the file, like `bytes=0-1023`; answered 206")
TOTAL = Parameter("X-Total-Count", "header", {"type": "integer"}, "How many match")
LOCATION = Parameter("Location", "header", {"type": "string"}, "Where what was made is")
