"""The record that the in-memory store keeps of a server, and the view that callers get of it."""

from dataclasses import dataclass, field

from dispatcher.domain.placement import Placement
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import NewServer, Server, ServerHealth, Transport

Slot = tuple[str, int]  # task, fence


@dataclass(slots=True)
class ServerRow:
    new: NewServer
    seq: int
    registered_ms: int
    last_seen_ms: int
    alive_ms: int  # when it must have shown life again: heartbeat or probe
    forget_at_ms: int | None = None  # it is offline, and will be unregistered then
    health: ServerHealth = ServerHealth.HEALTHY
    online: bool = True
    maintenance: bool = False
    reason: str = ""
    ejected_until_ms: int = 0
    probe_at_ms: int = 0  # when an ejection that is over is probed (again)
    ejections: int = 0  # in a row
    readmitted_ms: int = 0
    rest_until_ms: int = 0
    probation: bool = False
    faults: int = 0  # in a row
    busy: int = 0  # busy answers without Retry-After, in a row
    slots: dict[Slot, int] = field(default_factory=dict)  # -> end of the lease
    held: dict[Slot, Resources] = field(default_factory=dict)  # what the attempts in slots take of it
    reserved: str = ""  # the task that it is kept for
    models: dict[str, Placement] = field(default_factory=dict)
    placed: dict[str, Resources] = field(default_factory=dict)  # what the models in memory take of it
    loads: dict[Slot, str] = field(default_factory=dict)  # -> the model that the attempt works with
    unmeasured: set[str] = field(default_factory=set)  # models that are loaded, and have all that is left of it
    before: dict[str, Placement | None] = field(default_factory=dict)  # models that tasks are loading, as they were
    used: dict[str, int] = field(default_factory=dict)  # model -> when a task last started with it
    shown: frozenset[str] = frozenset()  # the models in memory, as gateways know them
    spared: dict[Slot, int] = field(default_factory=dict)  # -> the end that an outage gave it
    handed: tuple[Slot, int] | None = None  # a rank that it is to take at its next claim
    wants_since_ms: int | None = None  # it waits for work on its connection
    foreign: int = 0
    foreign_until_ms: int = 0
    reported_active: int | None = None
    listed_ms: int = 0  # when a list of running tasks last counted
    latency_ms: float | None = None
    metrics: str = "{}"
    boot_id: str = ""
    session: str = ""
    gateway: str = ""
    left: bool = False  # it said that it leaves

    @property
    def id(self) -> str:
        return self.new.id

    @property
    def serving(self) -> bool:
        """Online, and nobody told it to take no work."""
        return self.online and not self.maintenance

    def effective(self, now_ms: int) -> int:
        """Slots held, and what the server said it does for others."""
        return len(self.slots) + (self.foreign if now_ms < self.foreign_until_ms else 0)

    @property
    def held_soon(self) -> Resources:
        """What is held once what is loaded there is measured: that may be nothing."""
        measured = (takes for model, takes in self.placed.items() if model not in self.unmeasured)
        return sum(self.held.values(), sum(measured, NOTHING))

    @property
    def held_in_all(self) -> Resources:
        return sum(self.held.values(), sum(self.placed.values(), NOTHING))

    def use(self, model: str, now_ms: int) -> None:
        """A task starts here with a model, if it is placed here."""
        if model in self.models:
            self.used[model] = now_ms

    def drop(self, slot: Slot) -> bool:
        """Free a slot and what it holds; False when there is none."""
        self.held.pop(slot, None)
        model = self.loads.pop(slot, None)
        if model in self.before and model not in self.loads.values():  # nobody waits for it any more
            self.undo_load(model)
        return self.slots.pop(slot, None) is not None

    def release(self, model: str) -> None:
        """What the model holds is free."""
        self.placed.pop(model, None)
        self.unmeasured.discard(model)

    def undo_load(self, model: str) -> None:
        """As if a load for tasks had not been begun."""
        before = self.before.pop(model)
        self.release(model)
        if before is None:
            del self.models[model]
            self.used.pop(model, None)
        else:
            self.models[model] = before

    def free(self, now_ms: int) -> bool:
        most = 1 if self.probation else self.new.max_concurrent
        idle = self.rest_until_ms <= now_ms and not self.ejected_until_ms
        return self.serving and idle and self.effective(now_ms) < most

    @property
    def pushed(self) -> bool:
        """Work is brought to it; the others fetch, and are never chosen."""
        return self.new.transport is Transport.PUSH

    def load(self, now_ms: int) -> float:
        return self.effective(now_ms) / self.new.weight

    def view(self) -> Server:
        new = self.new
        return Server(
            id=new.id, seq=self.seq, origin=new.origin, name=new.name, endpoints=new.endpoints, offer=new.offer,
            registered_ms=self.registered_ms, last_seen_ms=self.last_seen_ms, sealed_key=new.sealed_key,
            max_concurrent=new.max_concurrent, weight=new.weight, transport=new.transport,
            health=self.health, online=self.online,
            maintenance=self.maintenance, reason=self.reason, ejected_until_ms=self.ejected_until_ms,
            rest_until_ms=self.rest_until_ms, probation=self.probation, active=len(self.slots),
            reported_active=self.reported_active, latency_ms=self.latency_ms, metrics=self.metrics,
            boot_id=self.boot_id, session=self.session, gateway=self.gateway, address=new.address,
            allocated=NOTHING if new.offer.resources is None else self.held_in_all,
            models=self.shown, left=self.left,
        )  # fmt: skip
