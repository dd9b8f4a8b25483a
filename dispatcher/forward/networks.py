"""Where an address leads. An own table, because `ipaddress.is_global` calls NAT64 of a metadata address global."""

import ipaddress
from enum import IntEnum

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Reach(IntEnum):
    """From harmless to forbidden; of an address and what it wraps, the worse counts."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2
    FORBIDDEN = 3


# IANA special-purpose registries (RFC 6890 and updates) and the metadata services of the large clouds.
_TABLE: tuple[tuple[Reach, tuple[str, ...]], ...] = (
    (
        Reach.FORBIDDEN,
        (
            "0.0.0.0/8",  # this network
            "169.254.0.0/16",  # link-local, and the metadata service of most clouds
            "100.100.100.200/32",  # metadata: Alibaba
            "168.63.129.16/32",  # platform service: Azure
            "192.0.0.0/24",  # protocol assignments; metadata: Oracle
            "192.88.99.0/24",  # 6to4 relays
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved and broadcast
            "::/128",
            "64:ff9b:1::/48",  # local NAT64: what it leads to is not in the address
            "100::/64",  # discard
            "2001:10::/28",
            "2001:20::/28",  # ORCHID: identifiers, not routable
            "5f00::/16",  # segment routing
            "fd00:ec2::254/128",  # metadata: AWS
            "fd20:ce::254/128",  # metadata: Google
            "fe80::/10",  # link-local
            "fec0::/10",  # site-local, deprecated
            "ff00::/8",  # multicast
        ),
    ),
    (Reach.LOOPBACK, ("127.0.0.0/8", "::1/128")),
    (
        Reach.PRIVATE,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",  # shared by carriers and overlay networks
            "192.0.2.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",  # documentation
            "198.18.0.0/15",  # benchmarks
            "2001:db8::/32",
            "3fff::/20",  # documentation
            "fc00::/7",  # unique local
        ),
    ),
)
_NETWORKS: tuple[tuple[Network, Reach], ...] = tuple(
    (ipaddress.ip_network(text), reach) for reach, texts in _TABLE for text in texts
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # the rest of IPv6 is unassigned
_WRAPPERS = tuple(ipaddress.IPv6Network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214: the upper half of the interface identifier


def reach_of(address: Address) -> Reach:
    """Classify an address, and every IPv4 address that it wraps (RFC 4291, 6052, 3056, 4380, 5214)."""
    inner = _wrapped(address) if isinstance(address, ipaddress.IPv6Address) else ()
    return max((_plain(address, wraps=bool(inner)), *(reach_of(a) for a in inner)))


def _plain(address: Address, *, wraps: bool) -> Reach:
    for network, reach in _NETWORKS:
        if address.version == network.version and address in network:
            return reach
    if address.version == 6 and not wraps and address not in _GLOBAL_UNICAST:
        return Reach.FORBIDDEN
    return Reach.PUBLIC


def _wrapped(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    bits = int(address)
    if bits <= 1:  # :: and ::1 are addresses of their own
        return ()
    low = bits & 0xFFFFFFFF
    if any(address in network for network in _WRAPPERS):
        return (ipaddress.IPv4Address(low),)
    if address in _SIX_TO_FOUR:
        return (ipaddress.IPv4Address(bits >> 80 & 0xFFFFFFFF),)
    if address in _TEREDO:  # the server's address, and the client's with every bit inverted
        return (ipaddress.IPv4Address(bits >> 64 & 0xFFFFFFFF), ipaddress.IPv4Address(low ^ 0xFFFFFFFF))
    if bits >> 32 & 0xFFFFFFFF in _ISATAP:
        return (ipaddress.IPv4Address(low),)
    return ()
