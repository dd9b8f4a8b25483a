"""Whose word a report is."""

from dispatcher.dialects.call import Call
from dispatcher.domain.errors import Forbidden, StaleAttempt
from dispatcher.domain.reporter import ByAdmin, ByHolder, Reporter


def reporter_of(call: Call, attempt: int | None) -> Reporter:
    """A callback token names its attempt; a server's token counts for what it holds. Raises StaleAttempt, Forbidden."""
    if call.attempt is not None:
        if attempt is not None and attempt != call.attempt.fence:
            raise StaleAttempt("The callback token belongs to another attempt")
        return call.attempt
    if call.caller.is_admin:
        return ByAdmin()
    if call.caller.server_id is None:
        raise Forbidden("The token names no server")
    return ByHolder(call.caller.server_id, attempt)
