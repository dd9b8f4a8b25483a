"""What runs tasks of a kind."""

from typing import Protocol

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.task import End


class Runner(Protocol):
    async def run(self, attempt: Attempt) -> End:
        """Do the task. Returns soon after `attempt.stopped`, with nothing left running. Raises TaskError, NotHere."""
        ...
