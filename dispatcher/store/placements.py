"""Models on workers in Redis. Implements `service.ports.PlacementStore`."""

from collections.abc import Sequence

from dispatcher.domain.errors import NotFound
from dispatcher.domain.placement import ModelSize, Placement, PlacementStatus
from dispatcher.domain.resources import Resources
from dispatcher.store.reach import reachable
from dispatcher.store.refusals import model_busy, no_room, not_placed, too_many_models
from dispatcher.store.runner import Reply, Runner


class RedisPlacements:
    """One hash per worker, beside what its models hold of it."""

    def __init__(self, runner: Runner) -> None:
        self._run = runner

    async def assign(
        self, model: str, server_ids: Sequence[str], *, assignment: str, preload: bool, priority: int
    ) -> list[Placement]:
        reply = await self._run.call(
            "assign_model",
            *server_ids,
            model=model,
            assignment=assignment,
            preload="1" if preload else "0",
            priority=priority,
        )
        match reply.tag:
            case "not_found":
                raise NotFound(f"Server not found: {reply.text(0)}")
            case "no_room":
                raise no_room(model, reply.text(0))
            case "too_many":
                raise too_many_models(reply.text(0))
            case "model_busy":
                raise model_busy(model, reply.text(0))
        return [_placement(raw) for raw in reply.values[0]]

    async def begin_load(self, server_id: str, model: str) -> Placement:
        return _placed(await self._run.call("begin_load", server_id=server_id, model=model), server_id, model)

    async def loaded(self, server_id: str, model: str, takes: Resources, load_ms: int) -> Placement:
        reply = await self._run.call(
            "model_loaded", server_id=server_id, model=model, takes=takes.to_text(), load_ms=load_ms
        )
        if reply.tag == "not_found":
            raise NotFound(f"Server not found: {server_id}")
        if reply.tag == "too_many":
            raise too_many_models(server_id)
        if reply.tag == "no_room":
            raise no_room(model, server_id)
        return _placement(reply.values[0])

    async def failed(self, server_id: str, model: str, error: str) -> Placement:
        reply = await self._run.call("model_failed", server_id=server_id, model=model, why=error)
        return _placed(reply, server_id, model)

    async def begin_unload(self, server_id: str, model: str) -> Placement | None:
        reply = await self._run.call("begin_unload", server_id=server_id, model=model)
        if reply.tag == "model_busy":
            raise model_busy(model, server_id)
        return None if reply.tag == "gone" else _placed(reply, server_id, model)

    async def unloaded(self, server_id: str, model: str) -> None:
        reply = await self._run.call("model_unloaded", server_id=server_id, model=model)
        if reply.tag == "not_found":
            raise not_placed(model, server_id)

    async def find(self, server_ids: Sequence[str] = (), model: str | None = None) -> list[Placement]:
        reply = await self._run.call("get_placements", *server_ids, model=model or "")
        return [_placement(raw) for raw in reply.values[0]]

    async def sizes(self, models: Sequence[str]) -> dict[str, ModelSize]:
        pipeline = self._run.client.pipeline(transaction=False)
        for model in models:
            pipeline.hmget(f"{self._run.root}model:{model}", ["takes", "load_ms"])
        with reachable():
            found = await pipeline.execute() if models else []
        return {
            model: ModelSize(Resources.from_text(takes.decode()), int(load_ms))
            for model, (takes, load_ms) in zip(models, found, strict=True)
            if load_ms is not None
        }


def _placed(reply: Reply, server_id: str, model: str) -> Placement:
    if reply.tag == "not_found":
        raise not_placed(model, server_id)
    return _placement(reply.values[0])


def _placement(raw: Sequence[bytes]) -> Placement:
    server_id, model, status, assignment, preload, priority, takes, load_ms, used, why = (
        value.decode("utf-8", "replace") for value in raw
    )
    return Placement(
        model=model,
        server_id=server_id,
        status=PlacementStatus(status),
        assignment=assignment,
        preload=preload == "1",
        priority=int(priority),
        takes=Resources.from_text(takes),
        load_ms=int(load_ms) if load_ms else None,
        last_used_ms=int(used) if used else None,
        error=why,
    )
