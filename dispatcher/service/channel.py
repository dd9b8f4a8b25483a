"""How a session speaks to its worker. Implemented by the dialects that hold sockets of workers."""

from enum import StrEnum
from typing import Protocol

from dispatcher.domain.grant import Grant


class Control(StrEnum):
    """What a worker is told about a task that it holds."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


class Channel(Protocol):
    """How a session speaks to its worker. What cannot be sent raises nothing: whoever holds the socket closes it."""

    async def assign(self, grant: Grant) -> None:
        """Returns once the task is written. When this raises, or the session is closed before it returns, the task
        goes back to the queue."""
        ...

    async def control(self, action: Control, task_id: str, fence: int, reason: str) -> None: ...

    async def replaced(self) -> None:
        """Another connection of the same worker took over: close."""
        ...

    async def going_away(self) -> None:
        """This gateway stops, or the worker was unregistered: close."""
        ...
