"""The balancing policy of the namespace."""

from balancer import BalancerError, known_policies, policy_named
from dispatcher.domain.errors import Invalid
from dispatcher.domain.server import Server
from dispatcher.service.ports import ServerStore


class Balancing:
    """Shows and switches the policy; every gateway follows with the next registry epoch."""

    def __init__(self, servers: ServerStore) -> None:
        self._servers = servers

    async def status(self) -> tuple[str, list[Server]]:
        """The policy's name, and all servers with live loads by registration sequence."""
        servers = await self._servers.all()  # its reply tells of a newer epoch, so the snapshot below is up to date
        return (await self._servers.snapshot()).algorithm, servers

    async def set_algorithm(self, name: str, *, by: str) -> None:
        """Switch to a policy that can be used here. Raises Invalid with the known names."""
        try:
            policy_named(name)
        except BalancerError as error:
            known = ", ".join(known_policies())
            raise Invalid(f"Unknown algorithm: {name[:80]}. Known: {known}", field="algorithm") from error
        await self._servers.set_algorithm(name, by=by)
