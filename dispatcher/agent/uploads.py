"""Hands in what a task left, file by file."""

from collections.abc import Sequence
from typing import BinaryIO

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.errors import NotTaken, TaskError
from dispatcher.agent.task import End


class Uploads:
    """A file that the gateway does not want holds up no other one, but with it the task is not completed."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._sent: list[str] = []
        self._refused: NotTaken | None = None

    def tell(self, lines: Sequence[str]) -> None:
        """What was not sent, in the log of the task."""
        for line in lines:
            self._attempt.log.write("stderr", line)

    async def send(self, path: str, file: BinaryIO) -> None:
        """Raises TaskError when there is no use in sending others: with the first refusal, if there was one."""
        try:
            await self._attempt.upload(path, file)
        except NotTaken as error:
            self._refused = self._refused or error
            self.tell([f"[{error}]"])
        except TaskError as error:
            self.tell([f"[{error}]"])
            raise self._refused or error from None
        else:
            self._sent.append(path)

    def end(self, code: int) -> End:
        """Of a command that exited with `code`, none but 0 being a success."""
        if self._refused is not None:
            return End(error=str(self._refused))
        return End(result={"exitCode": code, "files": self._sent})
