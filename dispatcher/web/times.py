"""Points in time on the wire."""

from datetime import UTC, datetime


def iso(ms: int) -> str:
    """ISO 8601 in UTC, rounded down to the second. `ms` are epoch milliseconds."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
