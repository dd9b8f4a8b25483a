"""Which URLs a gateway may call: asked when a server is registered, and again at every connect."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from dispatcher.domain.errors import Invalid
from dispatcher.forward.networks import Address, Network, Reach, reach_of
from dispatcher.forward.transport import NotSent
from dispatcher.forward.url import parse_url

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

# Services that are no HTTP servers, but would read a request line as their own command.
_REFUSED_PORTS = frozenset({22, 23, 25, 53, 110, 143, 445, 465, 587, 3306, 5432, 6379, 11211, 27017})
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})


class Refused(NotSent):
    """The policy does not allow this address. Nothing was connected."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host name, as the system resolves it. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """Public addresses are allowed; private and loopback ones when switched on, or for the hosts in `allow_hosts`:
    names, `*.suffix`, addresses or networks. Link-local, metadata, multicast and reserved ones never.
    """

    allow_private: bool = True
    allow_loopback: bool = False
    allow_hosts: frozenset[str] = frozenset()
    resolver: Resolver = field(default=resolve, compare=False, repr=False)
    _names: frozenset[str] = field(init=False, repr=False, compare=False)
    _networks: tuple[Network, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError for an entry of `allow_hosts` that looks like a network and is none."""
        names, networks = set(), []
        for entry in self.allow_hosts:
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                if "/" in entry:
                    raise ValueError(f"{entry!r} is no network") from None
                names.add(entry.lower())
        object.__setattr__(self, "_names", frozenset(names))
        object.__setattr__(self, "_networks", tuple(networks))

    def check_url(self, url: str, field: str = "url") -> None:
        """Check a URL as far as that is possible without asking the DNS. Raises Invalid that names `field`."""
        try:
            parsed = parse_url(url)
            self._check_target(parsed.host, parsed.port)
        except (ValueError, Refused) as error:
            raise Invalid(f"{field} {error}", field=field) from None

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Resolve a host once; every one of its addresses must be allowed. Connect to these and to nothing else.

        Raises Refused, or NotSent when the name has no address.
        """
        literal = self._check_target(host, port)
        if literal is not None:
            return (str(literal),)
        try:
            found = [ipaddress.ip_address(text.partition("%")[0]) for text in await self.resolver(host, port)]
        except (OSError, ValueError, UnicodeError):
            found = []
        if not found:
            raise NotSent("the host name cannot be resolved")
        for address in found:
            self._check_address(host, address)
        return tuple(dict.fromkeys(str(address) for address in found))

    def _check_target(self, host: str, port: int) -> Address | None:
        """Refuse by port and name; answers the address when the host is one."""
        if port in _REFUSED_PORTS:
            raise Refused(f"has port {port}, which belongs to another protocol")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if host in _METADATA_NAMES:
                raise Refused("names a metadata service, which is never allowed") from None
            if host == "localhost" or host.endswith(".localhost"):
                self._check_address(host, ipaddress.IPv4Address("127.0.0.1"))
            return None
        self._check_address(host, address)
        return address

    def _check_address(self, host: str, address: Address) -> None:
        reach = reach_of(address)
        if reach is Reach.PUBLIC or (reach is Reach.PRIVATE and self.allow_private):
            return
        if reach is Reach.FORBIDDEN:
            raise Refused("leads to a link-local, metadata, multicast or reserved address, which is never allowed")
        if (reach is Reach.LOOPBACK and self.allow_loopback) or self._listed(host, address):
            return
        raise Refused(f"leads to a {reach.name.lower()} address, which is not allowed here")

    def _listed(self, host: str, address: Address) -> bool:
        if host in self._names or any(address in network for network in self._networks):
            return True
        return any(name.startswith("*.") and host.endswith(name[1:]) for name in self._names)
