"""Parameters of the job queue's operations and headers of its answers, for OpenAPI."""

from dispatcher.dialects.jobs.options import PRIORITIES
from dispatcher.dialects.jobs.requests import TYPE
from dispatcher.dialects.jobs.wire_jobs import STATES
from dispatcher.dialects.operation import Parameter

FILTERS = (
    Parameter("status", "query", {"type": "string", "enum": list(STATES)}, "Only jobs with this status"),
    Parameter("type", "query", {"type": "string", "pattern": TYPE}, "Only jobs of this type"),
    Parameter("priority", "query", {"type": "string", "enum": list(PRIORITIES)}, "Only jobs of this priority"),
    Parameter(
        "limit", "query", {"type": "integer", "minimum": 1, "default": 100}, "Page size; above 1000 counts as 1000"
    ),
    Parameter("offset", "query", {"type": "integer", "minimum": 0, "default": 0}, "Where the page starts"),
)
WAIT = (
    Parameter(
        "wait",
        "query",
        {"type": "integer", "minimum": 0, "default": 0},
        "Seconds to wait for a job while there is none; what is above the longest wait counts as that",
    ),
    Parameter("Prefer", "header", {"type": "string"}, "`wait=n`: as `wait` in the query, which goes first"),
)
KEY = Parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255},
    "A repeat within 24 hours answers the first job; with another body it is refused",
)
ATTEMPT = Parameter(
    "X-Attempt", "header", {"type": "integer", "minimum": 1}, "As `attempt` in the body, which goes first"
)
TOTAL = Parameter("X-Total-Count", "header", {"type": "integer"}, "How many jobs match")
LOCATION = Parameter("Location", "header", {"type": "string"}, "Where the job is")
LEASE = Parameter(
    "X-Lease-Seconds",
    "header",
    {"type": "number"},
    "How long the job is held; each heartbeat holds it for as long again",
)
