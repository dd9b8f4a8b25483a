"""What can go wrong in the library; everything derives from `BalancerError`."""

from collections.abc import Iterable


class BalancerError(Exception):
    """Base of every error raised on purpose by this library."""


class NoCandidate(BalancerError):
    """No server is both free and untried: wait for a slot and choose again."""


class UnknownPolicy(BalancerError):
    """No policy has this name; the message lists those that exist."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown balancing policy {name!r}; known: {', '.join(known)}")
        self.name = name


class BrokenPlugin(BalancerError):
    """An installed plugin offers this name but can't be used; the message names it and says why."""

    def __init__(self, name: str, target: str, reason: str) -> None:
        super().__init__(f"balancing policy plugin {name!r} ({target}): {reason}")
        self.name = name
