"""One strict reading of a server's URL, so that the check and the socket can never understand it differently."""

import ipaddress
import re
from dataclasses import dataclass

MAX_URL_CHARS = 2048

# Printable ASCII without the characters that parsers disagree about. No user information, no fragment, no zone id,
# no percent sign in the host: each of them has fooled some parser.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[(?P<v6>[0-9a-f:.]{2,45})\]|(?P<name>[a-z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!$%&'()*+,./0-9:;=?@a-z_~-]*)?",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label like these makes a host an IPv4 address (WHATWG URL, 3.5)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Url:
    """An absolute http(s) URL. `host` is lower case and without brackets, `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """What belongs into the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_url(text: str) -> Url:
    """Read an absolute http(s) URL of at most 2,048 characters.

    Raises ValueError with a text for people: anything that is not plainly a host name in ASCII, a dotted IPv4 or a
    bracketed IPv6 address, with an optional port 1..65535.
    """
    if len(text) > MAX_URL_CHARS:
        raise ValueError(f"is longer than {MAX_URL_CHARS} characters")
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError("must be a plain absolute http(s) URL: no user information, fragment or special characters")
    scheme = match["scheme"].lower()
    port = int(match["port"]) if match["port"] is not None else _DEFAULT_PORTS[scheme]
    if not 1 <= port <= 65535:
        raise ValueError("has a port outside 1..65535")
    target = match["target"] or "/"
    if target.startswith("?"):
        target = "/" + target
    return Url(scheme, _host(match["v6"], match["name"]), port, target)


def _host(v6: str | None, name: str | None) -> str:
    if v6 is not None:
        try:
            return str(ipaddress.IPv6Address(v6))
        except ValueError:
            raise ValueError("has an invalid IPv6 address as its host") from None
    host = (name or "").lower()
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))  # refuses octal, hexadecimal, decimal and short forms
        except ValueError:
            raise ValueError("has a numeric host that is no dotted IPv4 address") from None
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("has an invalid host name")
    return host
