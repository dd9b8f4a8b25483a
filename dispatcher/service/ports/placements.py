"""Models in the memories of workers. What they take is held against the same totals as what tasks take."""

from collections.abc import Sequence
from typing import Protocol

from dispatcher.domain.placement import ModelSize, Placement
from dispatcher.domain.resources import Resources


class PlacementStore(Protocol):
    async def assign(
        self, model: str, server_ids: Sequence[str], *, assignment: str, preload: bool, priority: int
    ) -> list[Placement]:
        """Put a model on workers, all or none, in the order named: to be loaded (`preload`) or only assigned. One that
        is loaded or loading stays there, and is kept even if its worker had loaded it for a task. Raises NotFound for
        an unknown worker, Conflict: NO_ROOM where the model is known not to fit or no memory is left, TOO_MANY over 64,
        MODEL_BUSY while it is unloaded there."""
        ...

    async def begin_load(self, server_id: str, model: str) -> Placement:
        """QUEUED becomes LOADING and holds its room (of unknown size all memory that is left), when it is this model's
        turn: nothing else is loading there, nothing queued there is more urgent or as urgent and older, and there is
        room. Otherwise it stays. A task that loads a model begins that by its start. Raises NotFound."""
        ...

    async def loaded(self, server_id: str, model: str, takes: Resources, load_ms: int) -> Placement:
        """It is in memory, and takes so much; also of a model that nobody assigned. Tells the fleet's stream (`model`
        with id, model, state) when it was not. One that turns out not to fit in what is left of the worker holds
        that until it is unloaded, and is FAILED. Raises NotFound for an unknown worker, Conflict: TOO_MANY,
        NO_ROOM."""
        ...

    async def failed(self, server_id: str, model: str, error: str) -> Placement:
        """A load that failed gives its room back and leaves FAILED, unless a task goes on with it; a model that could
        not be unloaded is LOADED again. Anything else stays. Raises NotFound."""
        ...

    async def begin_unload(self, server_id: str, model: str) -> Placement | None:
        """LOADED becomes UNLOADING; one that is not in memory is forgotten at once (None). Raises NotFound, Conflict
        MODEL_BUSY while it is being loaded."""
        ...

    async def unloaded(self, server_id: str, model: str) -> None:
        """It is no longer in memory, and forgotten; its room is free. One that FAILED stays so, and one that a running
        task works with is LOADING. Raises NotFound."""
        ...

    async def find(self, server_ids: Sequence[str] = (), model: str | None = None) -> list[Placement]:
        """Of these workers (none named: of all) by registration or as named, by model; of one model when it is given.
        Unknown workers have none."""
        ...

    async def sizes(self, models: Sequence[str]) -> dict[str, ModelSize]:
        """Of those models that some worker has loaded lately."""
        ...
