"""The ports on dicts: the executable specification of the store, and a store for tests. Nothing survives it."""

from dispatcher.domain.clock import ManualClock
from dispatcher.service.ports import (
    BatchStore,
    CommandStore,
    Coordination,
    FileStore,
    KeyStore,
    LogStore,
    OperationStore,
    PlacementStore,
    ServerStore,
    StatsStore,
    TaskStore,
    TelemetryStore,
)
from dispatcher.store.memory.apikeys import MemoryKeys
from dispatcher.store.memory.batches import MemoryBatches
from dispatcher.store.memory.commands import MemoryCommands
from dispatcher.store.memory.files import MemoryFiles
from dispatcher.store.memory.logs import MemoryLogs
from dispatcher.store.memory.operations import MemoryOperations
from dispatcher.store.memory.placements import MemoryPlacements
from dispatcher.store.memory.servers import MemoryServers
from dispatcher.store.memory.state import State
from dispatcher.store.memory.stats import MemoryCoordination, MemoryStats
from dispatcher.store.memory.tasks import MemoryTasks
from dispatcher.store.memory.telemetry import MemoryTelemetry
from dispatcher.store.options import StoreOptions


class MemoryStore:
    """All ports over one shared state; time moves only with `clock`."""

    def __init__(self, clock: ManualClock, options: StoreOptions | None = None) -> None:
        self.state = State(clock, options or StoreOptions())
        self.tasks: TaskStore = MemoryTasks(self.state)
        self.servers: ServerStore = MemoryServers(self.state)
        self.stats: StatsStore = MemoryStats(self.state)
        self.coordination: Coordination = MemoryCoordination(self.state)
        self.batches: BatchStore = MemoryBatches(self.state)
        self.logs: LogStore = MemoryLogs(self.state)
        self.files: FileStore = MemoryFiles(self.state)
        self.telemetry: TelemetryStore = MemoryTelemetry(self.state)
        self.commands: CommandStore = MemoryCommands(self.state)
        self.operations: OperationStore = MemoryOperations(self.state)
        self.placements: PlacementStore = MemoryPlacements(self.state)
        self.keys: KeyStore = MemoryKeys()
