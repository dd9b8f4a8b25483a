"""Timers, probes and waiting heads, once a second."""

from dispatcher.service.duties import Duties


class Tick:
    def __init__(self, duties: Duties, *, budget_ms: int = 200) -> None:
        self._duties = duties
        self._budget_ms = budget_ms

    async def run_once(self) -> None:
        """One round within the budget."""
        await self._duties.run(self._budget_ms)
