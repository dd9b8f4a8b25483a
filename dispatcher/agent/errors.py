"""Why something did not work, in words for the task's owner or the operator."""


class TaskError(Exception):
    """The task cannot be run here; the text becomes its error. `retryable`: another attempt may do better."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class NotTaken(TaskError):
    """The gateway does not want this file, and never will; it may want others of the task."""


class NotHere(Exception):
    """This worker may not run the task, or cannot: it is handed back, for others. The text says why."""


class NotBegun(TaskError):
    """What was to run the task came to its end through no doing of the task, which may be run all the same."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class Misconfigured(Exception):
    """The agent must not go on, and another start of it would do no better. The text says what to change."""


class CommandError(Exception):
    """A command was not done; the text goes back to whoever gave it."""


class Unreachable(Exception):
    """No answer: the connection failed, broke or took too long. Worth another try."""


class Refused(Exception):
    """The gateway said no. `code` is the stable one of its answer."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.code = code

    @property
    def passing(self) -> bool:
        """Whether the same request may do better later."""
        return self.status >= 500 or self.status == 408 or (self.status == 429 and self.code != "QUOTA_EXCEEDED")

    @property
    def of_file(self) -> bool:
        """Whether it is about the file that was sent, so that another one of the task may be taken."""
        return self.status in (400, 413, 415, 429)
