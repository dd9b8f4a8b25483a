"""Why something did not work, in words for the job's owner or the operator."""


class JobError(Exception):
    """The job cannot be run; the text becomes its error message."""


class Unreachable(Exception):
    """No answer: the connection failed, broke or took too long. Worth another try."""


class Refused(Exception):
    """The queue said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether the same request may do better later."""
        return self.status >= 500 or self.status in (408, 429)
