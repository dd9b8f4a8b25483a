"""A refused call about a worker, its commands, models and operations leaves the key space byte for byte as it was."""

import pytest

from dispatcher.domain.command import CommandState
from dispatcher.domain.lane import Offer
from dispatcher.domain.operation import StepState
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import ServerHealth
from tests.store.scene import Refused, Scene, assign, confined, enqueue, leaves_no_trace, operation
from tests.store.world import GATEWAY, new_server

RAISING: dict[str, Refused] = {
    "register: through another door": lambda s: s.store.servers.put(confined("s1", only="farm")),
    "register: too many classes": lambda s: s.store.servers.put(new_server("s9", capabilities=["other"])),
    "register again: through another door": lambda s: s.store.servers.put(confined("s1", only="farm"), keep=True),
    "reoffer: unknown": lambda s: s.store.servers.reoffer("nobody", Offer()),
    "reoffer: too many classes": lambda s: s.store.servers.reoffer("s1", Offer(resources=Resources(cpu=1))),
    "reoffer: through another door": lambda s: s.store.servers.reoffer("s1", Offer(only="farm")),
    "remove: unknown": lambda s: s.store.servers.remove("nobody"),
    "connect: unknown worker": lambda s: s.store.servers.connect("nobody", "s", GATEWAY),
    "heartbeat: unknown": lambda s: s.store.servers.heartbeat(
        "nobody", health=ServerHealth.HEALTHY, active=1, metrics="{}", boot_id="b", running=["running"]
    ),
    "heartbeat: of a connection that was replaced": lambda s: s.store.servers.heartbeat(
        "s1", health=ServerHealth.HEALTHY, active=1, metrics="{}", boot_id="b", running=["running"], session="older"
    ),
    "maintenance: unknown": lambda s: s.store.servers.set_maintenance("nobody", True, ""),
    "claim next: unknown worker": lambda s: s.store.tasks.claim_next(
        "nobody", claim_id="c", nonce="n", gateway=GATEWAY, lease_ms=1
    ),
    "claim next: another connection took over": lambda s: s.store.tasks.claim_next(
        "s1", claim_id="c", nonce="n", gateway=GATEWAY, lease_ms=1, session="gone"
    ),
    "command: unknown worker": enqueue("nobody"),
    "command: no control channel": enqueue("s1"),
    "command: too late": enqueue("agent", -1),
    "command: too many": enqueue("agent"),
    "command: not this worker's": lambda s: s.store.commands.report("s1", "c1", CommandState.DONE),
    "operation: guarded": lambda s: s.store.operations.create(operation(s.world, "op3", guard="g")),
    "operation: unknown step's": lambda s: s.store.operations.advance("nothing", 0, StepState.DONE),
    "operation: unknown": lambda s: s.store.operations.fail("nothing", "x"),
    "model: unknown worker": lambda s: assign(s, "nobody"),
    "model: no room": lambda s: assign(s, "s1", "large"),
    "model: unloaded there": lambda s: assign(s, "agent", "large"),
    "model: loads now": lambda s: s.store.placements.begin_unload("s2", "m"),
    "model: not there": lambda s: s.store.placements.unloaded("s1", "m"),
    "model: cannot fail there": lambda s: s.store.placements.failed("s1", "m", "x"),
    "model: loaded by nobody": lambda s: s.store.placements.loaded("nobody", "m", Resources(), 1),
}


@pytest.mark.parametrize("name", RAISING)
async def test_an_error_leaves_no_trace(scene: Scene, name: str) -> None:
    await leaves_no_trace(scene, RAISING[name])
