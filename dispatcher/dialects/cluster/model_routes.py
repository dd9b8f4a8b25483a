"""Handlers of the models: put them on workers, take them off, see where they are."""

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.cluster import wire_models as wire
from dispatcher.dialects.cluster.answers import AssignAnswer, AssignmentList, UnloadAnswer
from dispatcher.dialects.cluster.errors import about_workers
from dispatcher.dialects.cluster.fleet import Fleet
from dispatcher.dialects.cluster.options import POINTS
from dispatcher.dialects.cluster.requests import AssignModel, UnloadModel
from dispatcher.dialects.validation import validate
from dispatcher.domain.errors import ModelBusy, NotFound
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json


class ModelRoutes:
    def __init__(self, services: Services, fleet: Fleet) -> None:
        self._placements = services.placements
        self._tasks = services.tasks
        self._fleet = fleet

    async def assign(self, call: Call) -> Answer:
        body = validate(AssignModel, (await call.json()).members)
        with about_workers():
            assignment_id, placed = await self._placements.assign(
                call.caller.rate_key,
                body.model_name,
                body.worker_ids,
                preload=body.preload,
                priority=POINTS[body.priority],
            )
        there = await self._placements.find(body.worker_ids)
        sizes = await self._placements.sizes(sorted({placement.model for placement in there}))
        answer = AssignAnswer(
            assignment_id=assignment_id,
            model_name=body.model_name,
            assignments=[
                wire.assignment(one, [other for other in there if other.server_id == one.server_id], sizes)
                for one in placed
            ],
        )
        return Answer(encode_json(answer))

    async def unload(self, call: Call) -> Answer:
        body = validate(UnloadModel, (await call.json()).members)
        await self._fleet.check(body.worker_ids)
        if not body.force:
            await self._refuse_in_use(body.model_name, body.worker_ids)
        there = {placement.server_id for placement in await self._placements.find(body.worker_ids, body.model_name)}
        affected = [worker for worker in body.worker_ids if worker in there]
        if not affected:
            raise NotFound(f"Model {body.model_name} is on none of these workers")
        with about_workers():
            operation = await self._placements.unload(call.caller.rate_key, body.model_name, affected, force=body.force)
        answer = UnloadAnswer(
            message="Model unload initiated",
            model_name=body.model_name,
            affected_workers=affected,
            operation_id=operation.id,
        )
        return Answer(encode_json(answer))

    async def assignments(self, call: Call) -> Answer:
        answer = AssignmentList(assignments=wire.by_worker(await self._placements.find()))
        return Answer(encode_json(answer))

    async def _refuse_in_use(self, model: str, workers: list[str]) -> None:
        for worker, tasks in (await self._tasks.running(workers)).items():
            if any(task.model == model for task in tasks):
                raise ModelBusy(f"A task uses model {model} on worker {worker}; force unloads it all the same")
