"""Where the clients of a distributed task meet: at the first of them, as its gateway saw its address."""

from dispatcher.dialects.farm.clients import known_of
from dispatcher.dialects.farm.options import ORIGIN
from dispatcher.dialects.farm.wire_messages import Master
from dispatcher.domain.errors import NotFound
from dispatcher.domain.grant import Grant
from dispatcher.service.services import Services


class Masters:
    def __init__(self, services: Services, port: int) -> None:
        self._services = services
        self._port = port

    async def of(self, grant: Grant) -> Master | None:
        """The master of a task's clients; None for one that runs alone, or whose first client is gone already."""
        if grant.gang == 1:
            return None
        try:
            first = await self._services.tasks.first_holder(grant.task_id, origin=ORIGIN)
            address = known_of(await self._services.servers.get(first)).address
        except NotFound:
            return None
        return Master(address, self._port) if address else None
