"""The one shared state of the in-memory store, and the only two ways a task changes: `move` and `changed`."""

from collections import defaultdict
from dataclasses import dataclass, field

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.command import Command
from dispatcher.domain.errors import IllegalState, NotFound
from dispatcher.domain.event import TaskUpdate
from dispatcher.domain.lane import Demand
from dispatcher.domain.placement import ModelSize
from dispatcher.domain.transitions import TaskEvent, TaskState, next_state
from dispatcher.store.memory.counters import Counters, RetryBudget
from dispatcher.store.memory.hub import Hub
from dispatcher.store.memory.queue import FairQueue
from dispatcher.store.memory.samples import Samples
from dispatcher.store.memory.server_rows import ServerRow
from dispatcher.store.memory.task_rows import TaskRow
from dispatcher.store.options import StoreOptions


@dataclass(slots=True)
class Usage:
    """What live tasks take up."""

    tasks: int = 0
    size: int = 0
    lanes: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, row: TaskRow, sign: int) -> None:
        self.tasks += sign
        self.size += sign * len(row.new.payload)
        self.lanes[row.lane] += sign
        if not self.lanes[row.lane]:
            del self.lanes[row.lane]


@dataclass(frozen=True, slots=True)
class KnownKey:
    digest: str
    task_id: str
    until_ms: int


class State:
    def __init__(self, clock: ManualClock, options: StoreOptions) -> None:
        self.clock = clock
        self.options = options
        self.tasks: dict[str, TaskRow] = {}
        self.servers: dict[str, ServerRow] = {}
        self.demands: dict[str, Demand] = {}
        self.queue = FairQueue()
        self.hub = Hub()
        self.counters = Counters()
        self.telemetry = Samples()
        self.commands: dict[str, Command] = {}  # in the order in which they came
        self.commands_kept = 0  # so far
        self.budget = RetryBudget(
            options.retry_budget_share, options.retry_budget_per_s, options.retry_budget_cap, clock.now_ms()
        )
        self.usage = Usage()
        self.tenants: dict[str, Usage] = defaultdict(Usage)
        self.keys: dict[tuple[str, str, str, str], KnownKey] = {}
        self.seats: dict[str, dict[str, int]] = {}  # holder -> seat -> until
        self.turns: dict[str, int] = defaultdict(int)
        self.sizes: dict[str, ModelSize] = {}  # of models, as they were loaded last
        self.aliases: dict[str, str] = {}
        self.epoch = 0
        self.sequence = 0
        self.algorithm = "round-robin"
        self.fetched: dict[str, tuple[str, int, int]] = {}  # claim id -> task, fence and rank it was answered with
        self.gathering: str | None = None  # the gang for which waiting workers are held
        self.last_tick_ms: int | None = None
        self.no_reap_until_ms = 0

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    def task(self, task_id: str) -> TaskRow:
        row = self.tasks.get(task_id)
        if row is None:
            raise NotFound(f"Task not found: {task_id}")
        return row

    def server(self, server_id: str) -> ServerRow:
        server = self.servers.get(server_id)
        if server is None:
            raise NotFound(f"Server not found: {server_id}")
        return server

    def next_turn(self, row: TaskRow) -> int:
        """Count an answer with candidates; the first one of a lane is 0."""
        row.turn = self.turns[row.lane]
        self.turns[row.lane] += 1
        return row.turn

    def use(self, row: TaskRow, sign: int) -> None:
        """The task becomes live (+1) or ends (-1)."""
        self.usage.add(row, sign)
        tenant = row.new.owner.tenant
        self.tenants[tenant].add(row, sign)
        if not self.tenants[tenant].tasks:
            del self.tenants[tenant]

    def move(self, row: TaskRow, event: TaskEvent) -> None:
        """Change the state by the transition table, keep the queue in step, tell watchers."""
        target = next_state(row.state, event)
        if target is None:
            raise IllegalState(f"Task is {row.state}")
        if row.state is TaskState.PENDING:
            self.queue.remove(row)
            row.right_until_ms = 0
        row.state = target
        if target is TaskState.PENDING:
            row.since_ms = self.now
            self.queue.add(row)
        self.changed(row)

    def changed(self, row: TaskRow) -> None:
        """Tell watchers of a change that was made."""
        row.rev += 1
        row.updated_ms = self.now
        row.updates.append(
            TaskUpdate(row.id, row.rev, row.state, row.progress, row.server_id, row.fence, row.updated_ms, row.lives)
        )
        owner = row.new.owner
        fields = {
            "id": row.id, "state": row.state.value, "rev": str(row.rev), "origin": row.new.origin,
            "tenant": owner.tenant, "sub": owner.sub,
        }  # fmt: skip
        self.hub.event(f"task.{row.state.value.lower()}", fields)

    def fleet_changed(self, kind: str, server: ServerRow) -> None:
        """Something that gateways cache of a server has changed."""
        self.epoch += 1
        self.hub.event(f"server.{kind}", {"id": server.id, "state": kind})
