"""Handlers of telemetry, models and operations."""

import re

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.native.fleet_answers import (
    AssignmentAnswer,
    AssignModel,
    ModelsAnswer,
    RebalanceModels,
    TelemetryAnswer,
    UnloadModel,
)
from dispatcher.dialects.native.requests import LATEST_MS
from dispatcher.dialects.native.validation import validate
from dispatcher.dialects.native.wire_fleet import (
    operation_answer,
    placement_answer,
    rebalance_answer,
    sample_answer,
)
from dispatcher.domain.errors import Invalid
from dispatcher.domain.operation import Operation
from dispatcher.domain.rebalance import Strategy
from dispatcher.domain.task import POINTS_PER_LEVEL
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import one


class FleetRoutes:
    def __init__(self, services: Services) -> None:
        self._telemetry = services.telemetry
        self._operations = services.operations
        self._placements = services.placements

    async def telemetry(self, call: Call) -> Answer:
        samples = await self._telemetry.samples(call.path_id, _since(call))
        answer = TelemetryAnswer(serverId=call.path_id, samples=[sample_answer(sample) for sample in samples])
        return Answer(encode_json(answer))

    async def restart(self, call: Call) -> Answer:
        return _begun(await self._operations.restart(call.caller.rate_key, call.path_id))

    async def operation(self, call: Call) -> Answer:
        return Answer(encode_json(operation_answer(await self._operations.get(call.path_id))))

    async def models(self, call: Call) -> Answer:
        found = await self._placements.find(model=one(call.query, "model"))
        return Answer(encode_json(ModelsAnswer(models=[placement_answer(placement) for placement in found])))

    async def assign(self, call: Call) -> Answer:
        body = validate(AssignModel, (await call.json()).members)
        assignment, placed = await self._placements.assign(
            call.caller.rate_key,
            body.model,
            body.servers,
            preload=body.preload,
            priority=body.priority * POINTS_PER_LEVEL,
        )
        answer = AssignmentAnswer(assignmentId=assignment, models=[placement_answer(placement) for placement in placed])
        return Answer(encode_json(answer))

    async def unload(self, call: Call) -> Answer:
        body = validate(UnloadModel, (await call.json()).members)
        return _begun(await self._placements.unload(call.caller.rate_key, body.model, body.servers, force=body.force))

    async def rebalance(self, call: Call) -> Answer:
        body = validate(RebalanceModels, (await call.json_if_any()).members)
        operation, moves = await self._placements.rebalance(
            call.caller.rate_key, Strategy(body.strategy), dry_run=body.dry_run, force=body.force
        )
        answer = rebalance_answer(operation, body.strategy, moves)
        return Answer(encode_json(answer), 200 if body.dry_run else 202, _where(operation))


def _begun(operation: Operation) -> Answer:
    return Answer(encode_json(operation_answer(operation)), headers=_where(operation))


def _where(operation: Operation) -> dict[str, str]:
    return {"Location": f"/api/operations/{operation.id}"}


def _since(call: Call) -> int:
    """`since` in epoch milliseconds, 0 when it is not given. Raises Invalid."""
    text = one(call.query, "since")
    if text is None:
        return 0
    if re.fullmatch(r"[0-9]{1,15}", text) is None or int(text) > LATEST_MS:
        raise Invalid("Invalid parameter since: must be epoch milliseconds", field="since")
    return int(text)
