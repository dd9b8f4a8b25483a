"""What tasks say and leave behind, typed; the rules are those of `models`."""

from dispatcher_sdk.models import Model


class LogLine(Model):
    """What a task said. `seq` counts from 1 over all attempts, `stream` is stdout or stderr; a line of attempt 0 is the
    gateway's own. `rank` says who of several workers that run the task together, None where it is one. A `partial`
    line goes on in the next one of its stream."""

    seq: int
    at: int
    attempt: int
    stream: str
    text: str
    rank: int | None = None
    partial: bool = False


class LogPage(Model):
    """Some lines of a log. `after` is where the next page begins; `ended`: there will be no more lines."""

    task_id: str
    lines: list[LogLine]
    after: int
    ended: bool


class TaskFile(Model):
    """A file that a task left. `sha256` is hexadecimal, `attempt` the one that uploaded it."""

    id: str
    task_id: str
    path: str
    size: int
    content_type: str = "application/octet-stream"
    sha256: str | None = None
    attempt: int | None = None
    created_at: int | None = None


class FileList(Model):
    """The files of a task."""

    task_id: str
    files: list[TaskFile]
