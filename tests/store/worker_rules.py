"""Random comings and goings of workers that hold a connection, and of the gateways that they are connected to."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from dispatcher.domain.lane import Offer
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import Endpoints, NewServer, ServerHealth, Transport
from tests.store.task_rules import TaskRules
from tests.store.world import GATEWAY, ORIGIN

WORKERS = ("w0", "w1", "w2")
GATEWAYS = (GATEWAY, "gw_2")
ROOM = {"w0": Resources(cpu=3), "w1": Resources(cpu=2.4), "w2": None}
SLOTS = {"w0": 1, "w1": 1, "w2": 2}
LEASE_MS = 30_000

workers = st.sampled_from(WORKERS)
gateways = st.sampled_from(GATEWAYS)


class WorkerRules(TaskRules):
    """Every worker has a connection most of the time; a gateway is present until it ends."""

    watched = WORKERS

    def __init__(self, url: str | None = None) -> None:
        super().__init__(url)
        self.present: set[str] = set()
        self.sessions: dict[str, list[tuple[str, str]]] = {name: [] for name in WORKERS}  # with its gateway
        self.asked: list[tuple[str, str, str, str]] = []  # worker, session, gateway, claim

    def session(self, name: str, back: int = 0) -> tuple[str, str]:
        """The connection that a worker believes it has, or an earlier one, and its gateway."""
        past = self.sessions[name]
        return past[max(0, len(past) - 1 - back)]

    @initialize()
    def everybody_comes(self) -> None:
        for gateway in GATEWAYS:
            self.gateway_starts(gateway)
        for name in WORKERS:
            self.register(name)
            self.connect(name, GATEWAYS[name == "w2"])

    # ---- gateways

    @rule(gateway=gateways)
    def gateway_starts(self, gateway: str) -> None:
        self.present.add(gateway)
        self.do(lambda store: store.coordination.presence(gateway))

    @rule(gateway=gateways, says=st.booleans())
    def gateway_ends(self, gateway: str, says: bool) -> None:
        self.present.discard(gateway)
        if says:
            self.do(lambda store: store.coordination.leave(gateway))

    def pass_time(self, ms: int) -> None:
        super().pass_time(ms)
        for gateway in sorted(self.present):
            self.do(lambda store, gateway=gateway: store.coordination.presence(gateway))

    # ---- workers

    @rule(name=workers)
    def register(self, name: str) -> None:
        offer = Offer(kinds=frozenset({"training"}), resources=ROOM[name])
        server = NewServer(
            name, ORIGIN, name, Endpoints(), offer, max_concurrent=SLOTS[name], transport=Transport.SOCKET
        )
        self.do(lambda store: store.servers.put(server))

    @rule(name=workers)
    def unregister(self, name: str) -> None:
        self.do(lambda store: store.servers.remove(name))

    @rule(name=workers, gateway=gateways)
    def connect(self, name: str, gateway: str) -> None:
        self.sessions[name].append((self.fresh("s"), gateway))
        self.connect_again(name)

    @rule(name=workers, back=st.sampled_from([0, 0, 1]))
    def connect_again(self, name: str, back: int = 0) -> None:
        session, gateway = self.session(name, back)
        self.do(lambda store: store.servers.connect(name, session, gateway))

    @rule(name=workers, back=st.sampled_from([0, 0, 1]))
    def disconnect(self, name: str, back: int) -> None:
        session, _ = self.session(name, back)
        self.do(lambda store: store.servers.disconnect(name, session))

    @rule()
    def all_are_ready(self) -> None:
        """Who has no connection that counts comes back, on a gateway that is there."""
        self.gateway_starts(GATEWAY)
        for name in WORKERS:
            known = self.memory.state.servers.get(name)
            if known is None:
                self.register(name)
            if known is None or not known.session or known.gateway not in self.present:
                self.connect(name, GATEWAY)

    @rule(name=workers, boot=st.sampled_from([None, None, "b1", "b2"]), lists=st.none() | st.booleans())
    def beat(self, name: str, boot: str | None, lists: bool | None) -> None:
        running = None if lists is None else [task for task in self.task_ids if lists]
        self.do(
            lambda store: store.servers.heartbeat(
                name, health=ServerHealth.HEALTHY, active=None, metrics="{}", boot_id=boot, running=running
            )
        )

    @rule()
    def all_beat(self) -> None:
        for name in WORKERS:
            self.beat(name, None, None)

    # ---- asking for work

    @rule(name=workers, waits=st.sampled_from([True, True, True, False]), back=st.sampled_from([0, 0, 0, 1]))
    def ask(self, name: str, waits: bool, back: int) -> None:
        session, gateway = self.session(name, back)
        self.asked.append((name, session if waits else "", gateway, self.fresh("c")))
        self.ask_again(-1)

    @rule(index=st.sampled_from([-1, -2, -3]))
    def ask_again(self, index: int) -> None:
        """A claim, or a claim again whose answer was lost, whatever has happened since."""
        if len(self.asked) < -index:
            return
        name, session, gateway, claim = self.asked[index]
        self.do(
            lambda store: store.tasks.claim_next(
                name, claim_id=claim, nonce=f"n-{claim}", gateway=gateway, lease_ms=LEASE_MS, session=session
            )
        )

    @rule(order=st.permutations(WORKERS), twice=st.booleans())
    def all_ask(self, order: list[str], twice: bool) -> None:
        for name in order * (2 if twice else 1):
            self.ask(name, True, 0)

    @rule(name=workers)
    def who_holds_what(self, name: str) -> None:
        self.do(lambda store: store.tasks.holding(name))
        self.do(lambda store: store.tasks.running([name]))
