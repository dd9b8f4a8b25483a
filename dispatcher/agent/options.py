"""What an operator may set about the agent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """`url` is the base URL of the gateway.

    name            of this worker: the same name is the same worker
    token           an admin's, with which the agent registers itself; with `server_id` the token of that server
    server_id       a server that was registered before; None: register
    concurrency     tasks at once
    kinds           of tasks that are run here
    capabilities    that this worker is registered with, likewise `groups`
    resources       totals that replace what was measured, as `resources` of the native API spells them
    grace_s         what running tasks get to end after the agent was told to stop
    terminate_s     between the request to stop (SIGTERM) and the end (SIGKILL) of a task
    heartbeat_s     between two heartbeats, at most; the gateway may ask for more of them
    """

    url: str
    name: str
    token: str = field(repr=False)
    server_id: str | None = None
    concurrency: int = 1
    kinds: tuple[str, ...] = ("process",)
    capabilities: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: Mapping[str, float] | None = None
    grace_s: float = 30.0
    terminate_s: float = 10.0
    heartbeat_s: float = 5.0
