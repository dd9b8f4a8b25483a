"""Ports: taken, free, and answering."""

import asyncio
import contextlib
import socket


class PortInUse(Exception):
    """The address cannot be listened on; the message names it and says why."""


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not yet listening. Port 0 takes a free one. Raises PortInUse."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        # Only a listening socket is refused by the kernel everywhere when somebody else listens too.
        bound.listen(1024)
    except OSError as error:
        bound.close()
        raise PortInUse(f"cannot listen on {host}:{port}: {error.strerror}") from None
    bound.setblocking(False)
    return bound


def free_port(host: str, preferred: int) -> int:
    """`preferred` when it can be listened on, else a free one."""
    for port in (preferred, 0):
        with contextlib.suppress(PortInUse), bind(host, port) as bound:
            return int(bound.getsockname()[1])
    raise PortInUse(f"cannot listen on {host}")


async def until_answering(host: str, port: int) -> None:
    """Wait until somebody accepts connections there."""
    reachable = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only
    while True:
        try:
            _, writer = await asyncio.open_connection(reachable, port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return
