"""Keeps the leases of this gateway's calls."""

from dispatcher.service.dispatch import Dispatch
from dispatcher.service.ports import TaskStore

BATCH = 256


class Renew:
    """To be run every third of a lease: two rounds may be missed."""

    def __init__(self, tasks: TaskStore, dispatch: Dispatch, *, gateway: str, lease_ms: int) -> None:
        self._tasks = tasks
        self._dispatch = dispatch
        self._gateway = gateway
        self._lease_ms = lease_ms

    async def run_once(self) -> None:
        """Renew all; calls whose lease is lost are given up."""
        held = self._dispatch.held()
        for start in range(0, len(held), BATCH):
            batch = held[start : start + BATCH]
            for lost in await self._tasks.renew(batch, gateway=self._gateway, lease_ms=self._lease_ms):
                self._dispatch.give_up(lost)
