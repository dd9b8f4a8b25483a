"""What the use cases need from the outside, in their own words.

Implemented by `store` (Redis), by `store.memory` (the same in dicts: the executable specification) and by `forward`.
Every method of the stores is atomic and safe to repeat with identical arguments when its reply was lost.
All times are epoch milliseconds of the store's clock.
"""

from dispatcher.service.ports.batches import BatchStore, BatchTotals
from dispatcher.service.ports.commands import CommandStore
from dispatcher.service.ports.coordination import Coordination
from dispatcher.service.ports.files import BlobStore, FileStore, StoredBlob
from dispatcher.service.ports.forwarder import Forwarder
from dispatcher.service.ports.keys import KeyStore
from dispatcher.service.ports.logs import LogStore
from dispatcher.service.ports.operations import OperationStore
from dispatcher.service.ports.placements import PlacementStore
from dispatcher.service.ports.requests import IdempotencyKey, RateRule, TaskQuery
from dispatcher.service.ports.servers import ServerStore
from dispatcher.service.ports.stats import StatsStore
from dispatcher.service.ports.tasks import TaskStore
from dispatcher.service.ports.telemetry import TelemetryStore

__all__ = [
    "BatchStore",
    "BatchTotals",
    "BlobStore",
    "CommandStore",
    "Coordination",
    "FileStore",
    "Forwarder",
    "IdempotencyKey",
    "KeyStore",
    "LogStore",
    "OperationStore",
    "PlacementStore",
    "RateRule",
    "ServerStore",
    "StatsStore",
    "StoredBlob",
    "TaskQuery",
    "TaskStore",
    "TelemetryStore",
]
