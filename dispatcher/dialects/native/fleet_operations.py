"""The registry of telemetry, models and operations."""

from dispatcher.dialects.native.fleet_answers import (
    AssignmentAnswer,
    AssignModel,
    ModelsAnswer,
    OperationAnswer,
    RebalanceAnswer,
    RebalanceModels,
    TelemetryAnswer,
    UnloadModel,
)
from dispatcher.dialects.native.fleet_routes import FleetRoutes
from dispatcher.dialects.native.requests import LATEST_MS
from dispatcher.dialects.operation import ADMINS, ADMINS_AND_ITSELF, Example, Operation, Parameter
from dispatcher.domain import errors as e
from dispatcher.web.rates import Rate

TAG = "Fleet"
_BODY_ERRORS = (e.Invalid, e.TooSlow, e.TooLarge, e.UnsupportedMedia)
_REFUSED = (e.Forbidden, e.NotFound, e.Conflict)
_SINCE = Parameter(
    "since", "query", {"type": "integer", "minimum": 0, "maximum": LATEST_MS}, "Only samples after it (epoch ms)"
)
_MODEL = Parameter("model", "query", {"type": "string"}, "Only where this model is")

_PATH = {"id": "server_xyz789"}
_SAMPLE = {"at": 1704556800000, "cpu": 45.0, "memory": 60.0, "gpu": 80.0, "storage": 30.0, "gpus": []}
_PLACEMENT = {
    "model": "llama-2-7b",
    "serverId": "server_xyz789",
    "status": "loaded",
    "memory": 6979321856,
    "loadTime": 45000,
    "lastUsed": 1704556800000,
}
_OPERATION = {
    "id": "op_abc123",
    "kind": "restart",
    "state": "running",
    "actor": "default/admin",
    "steps": [{"action": "worker.restart", "serverId": "server_xyz789", "state": "running"}],
    "startedAt": 1704556800000,
    "deadline": 1704557100000,
    "endedAt": None,
}
_UNLOADING = {
    **_OPERATION,
    "kind": "unload",
    "steps": [{"action": "model.unload", "serverId": "server_xyz789", "state": "running"}],
}
_REBALANCING = {
    **_OPERATION,
    "kind": "rebalance",
    "steps": [
        {"action": "model.load", "serverId": "server_abc456", "state": "running"},
        {"action": "model.unload", "serverId": "server_xyz789", "state": "waiting"},
    ],
    "strategy": "memory_optimized",
    "moves": [{"model": "llama-2-7b", "from": "server_xyz789", "to": "server_abc456", "memory": 6979321856}],
}


def fleet_operations(routes: FleetRoutes) -> list[Operation]:
    return [
        Operation(
            "getServerTelemetry", "GET", "/api/servers/{id}/telemetry", TAG, "Get Server Telemetry",
            ADMINS_AND_ITSELF, Rate.DEFAULT, routes.telemetry, answer=TelemetryAnswer, parameters=(_SINCE,),
            errors=(e.Invalid, e.Forbidden, e.NotFound),
            example=Example(
                {
                    "serverId": "server_xyz789",
                    "samples": [_SAMPLE],
                },
                path=_PATH,
            ),
        ),
        Operation(
            "restartServer", "POST", "/api/servers/{id}/restart", TAG, "Restart Server", ADMINS, Rate.DEFAULT,
            routes.restart, answer=OperationAnswer, errors=_REFUSED, example=Example(_OPERATION, path=_PATH),
        ),
        Operation(
            "listModels", "GET", "/api/models", TAG, "List Models", ADMINS, Rate.DEFAULT, routes.models,
            answer=ModelsAnswer, parameters=(_MODEL,), errors=(e.Invalid, e.Forbidden),
            example=Example({"models": [_PLACEMENT]}),
        ),
        Operation(
            "assignModel", "POST", "/api/models/assign", TAG, "Assign Model", ADMINS, Rate.DEFAULT, routes.assign,
            answer=AssignmentAnswer, request=AssignModel, errors=(*_BODY_ERRORS, *_REFUSED),
            example=Example(
                {"assignmentId": "op_abc123", "models": [{**_PLACEMENT, "status": "loading"}]},
                {"model": "llama-2-7b", "servers": ["server_xyz789"], "preload": True, "priority": 8},
            ),
        ),
        Operation(
            "unloadModel", "POST", "/api/models/unload", TAG, "Unload Model", ADMINS, Rate.DEFAULT, routes.unload,
            answer=OperationAnswer, request=UnloadModel, errors=(*_BODY_ERRORS, *_REFUSED),
            example=Example(_UNLOADING, {"model": "llama-2-7b", "servers": ["server_xyz789"]}),
        ),
        Operation(
            "rebalanceModels", "POST", "/api/models/rebalance", TAG, "Rebalance Models", ADMINS, Rate.DEFAULT,
            routes.rebalance, answer=RebalanceAnswer, request=RebalanceModels, body_optional=True, status=202,
            also=(200,), errors=(*_BODY_ERRORS, e.Forbidden, e.Conflict),
            example=Example(_REBALANCING, {"strategy": "memory_optimized"}),
        ),
        Operation(
            "getOperation", "GET", "/api/operations/{id}", TAG, "Get Operation", ADMINS, Rate.DEFAULT,
            routes.operation, answer=OperationAnswer, errors=(e.Forbidden, e.NotFound),
            example=Example(_OPERATION, path={"id": "op_abc123"}),
        ),
    ]  # fmt: skip
