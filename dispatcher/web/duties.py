"""Background duties on request, for deployments without long-running processes."""

from collections.abc import Mapping
from typing import Protocol


class Duties(Protocol):
    """Every background duty as one idempotent call."""

    async def run(self, budget_ms: int) -> Mapping[str, int]:
        """Reap, promote, dispatch and clean up for at most about `budget_ms`; answers what was done, by name."""
        ...
