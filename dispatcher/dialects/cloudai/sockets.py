"""What the sockets of CloudAI share: who may open one, and how it ends."""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from dispatcher.dialects.cloudai.options import ORIGIN
from dispatcher.dialects.doorkeeper import Doorkeeper, DoorLimits
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.operation import Access
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, Forbidden, NotFound, Unauthorized
from dispatcher.web.errors import close_code_of
from dispatcher.web.event_stream import Inlet, until_first

DONE = 1000
POLICY = 1008


@dataclass(frozen=True, slots=True)
class SocketLimits(DoorLimits):
    """A client that takes nothing for `stall_s` is let go."""

    stall_s: float = 10.0


def doorkeeper(gate: Gate, access: Access, clock: Clock, limits: SocketLimits) -> Doorkeeper:
    return Doorkeeper(ORIGIN, access, gate, clock, limits, close_code=_close_code)


async def while_there(inlet: Inlet, job: Coroutine[Any, Any, None]) -> None:
    """Do what there is to do for a client. It has nothing to say; but it may go away."""
    await until_first(job, _ignore(inlet))


async def _ignore(inlet: Inlet) -> None:
    while True:
        await inlet.next()


def _close_code(error: DispatchError) -> int:
    """For what is not there, and for who may not, there is one."""
    return POLICY if isinstance(error, (NotFound, Unauthorized, Forbidden)) else close_code_of(error)
