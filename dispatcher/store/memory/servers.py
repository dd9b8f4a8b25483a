"""The server store in dicts."""

from collections.abc import Sequence
from dataclasses import replace

from dispatcher.domain.errors import Conflict, Unavailable
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.lane import Offer
from dispatcher.domain.registry import Registry
from dispatcher.domain.server import NewServer, Server, ServerHealth
from dispatcher.domain.telemetry import Usage
from dispatcher.store.memory import attempts, fleet, gangs
from dispatcher.store.memory.counters import MINUTE_MS
from dispatcher.store.memory.placements import forget_loaded
from dispatcher.store.memory.server_rows import ServerRow
from dispatcher.store.memory.state import State
from dispatcher.store.refusals import replaced

FOREIGN_MS = 30_000  # how long a reported load counts
LISTS_APART_MS = 1_000
MISSING_MAX = 2  # `running` lists without an attempt


def unregister(s: State, server: ServerRow) -> None:
    """Forget a server; what it runs goes back to the queue, nothing counted."""
    released = Outcome(Verdict.RELEASED, text="The server was unregistered")
    for row, attempt in attempts.running_on(s, server.id):
        attempts.apply(s, row, attempt, released, retry_ms=0, judge=False, on=server.id)
    del s.servers[server.id]
    s.telemetry.forget(server.id)
    s.commands = {key: command for key, command in s.commands.items() if command.server_id != server.id}
    s.aliases = {alias: known for alias, known in s.aliases.items() if known != server.id}
    s.fleet_changed("unregistered", server)
    s.hub.wake(s.now)


class MemoryServers:
    """Implements `ServerStore`."""

    def __init__(self, state: State) -> None:
        self._s = state
        self._known = Registry(-1, "", {}, {})

    async def put(self, server: NewServer, *, alias: str | None = None, keep: bool = False) -> Server:
        s = self._s
        old = s.servers.get(server.id)
        self._check_confined(server.offer, old)
        if old is not None and keep:
            if old.new.address != server.address:
                old.new = replace(old.new, address=server.address)
                s.epoch += 1
            return old.view()
        self._check_classes(server.offer, old)
        if old is None:
            s.sequence += 1
        else:
            for row, attempt in attempts.accepted(s, server.id):
                attempts.lose(s, row, attempt, server.id, "The server registered again")
            forget_loaded(s, old)
        alive_ms = s.now + (server.silence_ms or s.options.offline_after_ms)
        row_seq, since = (s.sequence, s.now) if old is None else (old.seq, old.registered_ms)
        new = ServerRow(server, row_seq, since, s.now, alive_ms)
        if old is not None:  # an operator's word and the leases outlive the record
            new.slots, new.maintenance, new.reason = old.slots, old.maintenance, old.reason
            new.held, new.models, new.used = old.held, old.models, old.used
            new.placed, new.loads = old.placed, old.loads
            new.handed = old.handed
        s.servers[server.id] = new
        s.counters.alive[server.id].add(s.now // MINUTE_MS)
        if alias is not None:
            s.aliases[alias] = server.id
        s.fleet_changed("registered", new)
        fleet.wake(s, new)
        return new.view()

    @staticmethod
    def _check_confined(offer: Offer, old: ServerRow | None) -> None:
        if old is not None and old.new.offer.only != offer.only:
            raise Conflict("This server was registered through another door, and stays confined to that")

    def _check_classes(self, offer: Offer, old: ServerRow | None) -> None:
        offered = {v.new.offer.server_class for v in self._s.servers.values() if v is not old}
        if offer.server_class not in offered and len(offered) >= self._s.options.classes_max:
            raise Unavailable("Too many different kinds of servers")

    async def reoffer(self, server_id: str, offer: Offer, *, max_concurrent: int | None = None) -> Server:
        s, server = self._s, self._s.server(server_id)
        self._check_confined(offer, server)
        most = server.new.max_concurrent if max_concurrent is None else max_concurrent
        if (server.new.offer, server.new.max_concurrent) != (offer, most):
            self._check_classes(offer, server)
            server.new = replace(server.new, offer=offer, max_concurrent=most)
            s.fleet_changed("reoffered", server)
            fleet.wake(s, server)
        return server.view()

    async def remove(self, server_id: str) -> None:
        unregister(self._s, self._s.server(server_id))

    async def heartbeat(
        self,
        server_id: str,
        *,
        health: ServerHealth,
        active: int | None,
        metrics: str,
        boot_id: str | None = None,
        running: Sequence[str] | None = None,
        session: str = "",
    ) -> Server:
        s = self._s
        server = s.server(server_id)
        if session and server.session != session:
            raise replaced()
        if boot_id is not None:
            self._booted(server, boot_id)
        if running is not None:
            self._listed(server, frozenset(running))
        server.last_seen_ms = s.now
        server.metrics = metrics
        s.telemetry.add(server_id, Usage.of(metrics), s.now)
        server.reported_active = active
        server.foreign = max(0, active - len(server.slots)) if active is not None else 0
        server.foreign_until_ms = s.now + FOREIGN_MS
        for row, attempt in attempts.accepted(s, server_id):
            slot = (row.id, attempt.fence)
            server.slots[slot] = max(server.slots.get(slot, 0), s.now + self._lease_ms(server))
        if server.health is not health:
            server.health = health
            s.epoch += 1
        fleet.alive(s, server, server.new.silence_ms or s.options.offline_after_ms)
        return server.view()

    def _lease_ms(self, server: ServerRow) -> int:
        """A worker that may be silent for so long has its attempts for so long."""
        return server.new.silence_ms or self._s.options.accepted_lease_ms

    def _booted(self, server: ServerRow, boot_id: str) -> None:
        if server.boot_id not in ("", boot_id):
            for row, attempt in attempts.accepted(self._s, server.id):
                attempts.lose(self._s, row, attempt, server.id, "The server restarted")
            forget_loaded(self._s, server)
        server.boot_id = boot_id

    def _listed(self, server: ServerRow, running: frozenset[str]) -> None:
        again = self._s.now - server.listed_ms < LISTS_APART_MS  # a repeated heartbeat is no second list
        if not again:
            server.listed_ms = self._s.now
        for row, attempt in attempts.accepted(self._s, server.id):
            if row.id in running:
                attempt.missing[server.id] = 0
            elif not again:
                attempt.missing[server.id] = attempt.missing.get(server.id, 0) + 1
            if attempt.missing.get(server.id, 0) >= MISSING_MAX:
                attempts.lose(self._s, row, attempt, server.id, "The server no longer runs it")
        for (task_id, fence), expires in server.slots.items():
            row_now = self._s.tasks.get(task_id)
            current = row_now is not None and row_now.lives and row_now.fence == fence
            current = current and row_now is not None and not gangs.has_ended(row_now, server.id)
            if task_id in running and not current:  # it works on for an attempt that has ended
                lease_ms = self._s.now + self._lease_ms(server)
                server.slots[task_id, fence] = max(expires, lease_ms)

    async def probed(self, server_id: str, ok: bool) -> None:
        s = self._s
        server = s.servers.get(server_id)
        if server is None:
            return
        over = 0 < server.ejected_until_ms <= s.now
        if ok:
            if over:
                fleet.readmit(s, server)
            fleet.alive(s, server, s.options.probe_every_ms)
            return
        if over:
            server.ejected_until_ms = server.probe_at_ms = s.now + s.options.eject_base_ms
        silent_ms = server.last_seen_ms + s.options.offline_after_ms
        if silent_ms > s.now:  # a page that fails says nothing against fresh heartbeats
            server.alive_ms = silent_ms
            return
        server.alive_ms = s.now + s.options.probe_every_ms
        if server.online:
            server.online = False
            s.fleet_changed("offline", server)

    async def set_maintenance(self, server_id: str, on: bool, reason: str) -> Server:
        server = self._s.server(server_id)
        if (server.maintenance, server.reason) != (on, reason):
            server.maintenance, server.reason = on, reason
            self._s.fleet_changed("maintenance" if on else "available", server)
        fleet.wake(self._s, server)
        return server.view()

    async def connect(self, server_id: str, session: str, gateway: str) -> None:
        server = self._s.server(server_id)
        fleet.heard_of(self._s, server)
        if server.session != session:
            server.session, server.gateway = session, gateway
            server.wants_since_ms = None  # that was the older connection's wish
            self._s.hub.event("server.connected", {"id": server_id, "session": session})

    async def disconnect(self, server_id: str, session: str, *, left: bool = False) -> None:
        server = self._s.servers.get(server_id)
        if server is not None and server.session == session:
            server.session = server.gateway = ""
            server.wants_since_ms = None
            if left:
                fleet.silent(self._s, server)
                forget_loaded(self._s, server)
                server.left = True

    async def get(self, server_id: str) -> Server:
        return self._s.server(server_id).view()

    async def all(self) -> list[Server]:
        return [server.view() for server in sorted(self._s.servers.values(), key=lambda v: v.seq)]

    async def snapshot(self) -> Registry:
        s = self._s
        if self._known.epoch != s.epoch:
            servers = {server.id: server for server in await self.all()}
            self._known = Registry(s.epoch, s.algorithm, servers, s.demands)
        return self._known

    async def set_algorithm(self, name: str, *, by: str) -> None:
        s = self._s
        if s.algorithm != name:
            s.algorithm = name
            s.epoch += 1
            s.hub.event("balancer.changed", {"algorithm": name, "by": by})
