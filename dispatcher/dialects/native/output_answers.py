"""Answers on what tasks say and leave behind."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class LogLineAnswer(TypedDict):
    """`seq` counts from 1 over all attempts; a line of attempt 0 is the gateway's own. `rank` says who of the
    workers that run the task together. A `partial` line goes on in the next one of its stream."""

    seq: int
    at: int
    attempt: int
    stream: Literal["stdout", "stderr"]
    text: str
    rank: NotRequired[int]
    partial: NotRequired[bool]


class LogPageAnswer(TypedDict):
    """`after` is where the next page begins; `ended`: there will be no more lines."""

    taskId: str
    lines: list[LogLineAnswer]
    after: int
    ended: bool


class AppendedAnswer(TypedDict):
    """`next` is the number of the attempt's next line."""

    taskId: str
    next: int


class FileAnswer(TypedDict):
    """`attempt` uploaded it; `sha256` is hexadecimal."""

    id: str
    taskId: str
    path: str
    size: int
    contentType: str
    sha256: str
    attempt: int
    createdAt: int


class FileListAnswer(TypedDict):
    taskId: str
    files: list[FileAnswer]


class FileMessage(TypedDict):
    message: str
    taskId: str
    path: str
