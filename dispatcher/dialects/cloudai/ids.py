"""Ids of tasks: `task-` and digits, of which the first 13 are the time in epoch milliseconds."""

import hashlib
import secrets
from collections.abc import Callable

_MORE = 10**15  # two tasks of one millisecond, whatever gateway made them


def new_task_id(now_ms: int, below: Callable[[int], int] = secrets.randbelow) -> str:
    return _id(now_ms, below(_MORE))


def retry_id(task_id: str, ended_ms: int) -> str:
    """The id of the task that takes the place of a failed one: always the same, so that a repeated retry makes no
    second task."""
    digest = hashlib.blake2b(task_id.encode(), digest_size=8).digest()
    return _id(ended_ms, int.from_bytes(digest) % _MORE)


def _id(ms: int, more: int) -> str:
    return f"task-{ms}{more:015d}"
