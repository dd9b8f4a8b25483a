"""Which model is to be, or is, in the memory of which worker. Times are epoch milliseconds of the store."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.domain.resources import NOTHING, Resources

MODELS_MOST = 64  # of one worker
NAME_MOST = 128  # characters
LONGEST_LOAD_MS = 7 * 86_400_000  # what a worker may say that a load took
RUNNER = "model"  # the kind of workers that load models
LOADABLE = "model:"  # begins the capability of a worker that can load a model, before its name

NO_ROOM = "NO_ROOM: it takes more than the worker has free"  # why a model that was loaded has to go


class PlacementStatus(StrEnum):
    ASSIGNED = "assigned"  # is loaded with its first task
    QUEUED = "queued"  # waits for its turn: a worker loads one model at a time
    LOADING = "loading"
    LOADED = "loaded"
    UNLOADING = "unloading"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Placement:
    """A model on a worker. `takes` is what it holds of the worker: as measured once it is loaded, before that what it
    took where it was loaded last (nothing for a model that no worker has loaded yet)."""

    model: str
    server_id: str
    status: PlacementStatus
    assignment: str = ""  # the id of what put it there; empty when its worker loaded it by itself
    preload: bool = True
    priority: int = 50  # 0..100, higher is loaded sooner
    takes: Resources = NOTHING
    load_ms: int | None = None
    last_used_ms: int | None = None
    error: str = ""  # why it could not be loaded or unloaded

    @property
    def memory(self) -> int:
        """Bytes, wherever they are."""
        return self.takes.memory + self.takes.gpu_memory


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What a model took where it was loaded last."""

    takes: Resources
    load_ms: int


def can_load(model: str) -> str:
    """The capability that a task with a model asks for, and workers that have its files offer."""
    return LOADABLE + model


def loadable(capabilities: Iterable[str]) -> frozenset[str] | None:
    """The models that a worker says it can load; None when it says nothing of that."""
    names = frozenset(one.removeprefix(LOADABLE) for one in capabilities if one.startswith(LOADABLE))
    return names or None


def is_model(name: str) -> bool:
    """True for a text that may name a model: printable, 1 to 128 characters."""
    return 0 < len(name) <= NAME_MOST and name.isprintable()
