"""The memory of recent results: a repeated call is answered from it instead of doing the work twice."""

from collections import OrderedDict

from dispatcher_sdk.backend.job import Outcome


class Recent:
    """The last results by key, bounded by number and by bytes. Failures are not kept: trying again is their point."""

    def __init__(self, keep: int = 100, keep_bytes: int = 64 * 1024 * 1024) -> None:
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> Outcome | None:
        """The result under `key`, if it is still known."""
        return self._outcomes.get(key)

    def put(self, key: str, outcome: Outcome) -> None:
        """Remember a result and forget the oldest ones above the bounds."""
        if (previous := self._outcomes.pop(key, None)) is not None:
            self._bytes -= len(previous.body)
        self._outcomes[key] = outcome
        self._bytes += len(outcome.body)
        while len(self._outcomes) > self._keep or self._bytes > self._keep_bytes:
            _, oldest = self._outcomes.popitem(last=False)
            self._bytes -= len(oldest.body)
