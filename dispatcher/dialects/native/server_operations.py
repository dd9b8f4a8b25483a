"""The registry of the server operations."""

from dispatcher.dialects.native.answers import (
    ClaimAnswer,
    MetricsAnswer,
    RegisteredAnswer,
    ServerAnswer,
    ServerListAnswer,
    ServerMessage,
    ServerStatusAnswer,
)
from dispatcher.dialects.native.claim_routes import ClaimRoutes
from dispatcher.dialects.native.requests import ClaimTask, Heartbeat, RegisterServer, SetMaintenance
from dispatcher.dialects.native.server_routes import ServerRoutes
from dispatcher.dialects.operation import ADMINS, ADMINS_AND_ITSELF, Example, Operation, Parameter
from dispatcher.domain import errors as e
from dispatcher.domain.server import ServerStatus
from dispatcher.web.rates import Rate

TAG = "Servers"
_BODY_ERRORS = (e.Invalid, e.TooSlow, e.TooLarge, e.UnsupportedMedia)
_GONE = (e.Forbidden, e.NotFound)
_KEY = Parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255},
    "A repeat registers the same server again, under the same id",
)
_FILTERS = (
    Parameter("status", "query", {"type": "string", "enum": list(ServerStatus)}, "Only servers with this status"),
    Parameter("group", "query", {"type": "string"}, "Only servers in this group"),
    Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000}, "Page size"),
    Parameter("offset", "query", {"type": "integer", "minimum": 0, "default": 0}, "Where the page starts"),
)
_WAIT = Parameter("Prefer", "header", {"type": "string"}, "`wait=n`: as `wait` in the body")

_PATH = {"id": "server_xyz789"}
_ENDPOINTS = {
    "predict": "https://server1.example.com/predict",
    "health": "https://server1.example.com/health",
    "metrics": "https://server1.example.com/metrics",
}
_SERVER = {
    "id": "server_xyz789",
    "name": "gpu-server-01",
    "status": "online",
    "registeredAt": 1704553200000,
    "lastHeartbeat": 1704556800000,
    "uptime": 3600000,
    "timeSinceLastHeartbeat": 5000,
    "groups": ["production", "gpu"],
    "priority": 2,
    "capabilities": ["video", "image"],
    "maxConcurrent": 10,
    "activeTasks": 6,
    "transport": "push",
    "endpoints": _ENDPOINTS,
    "maintenance": False,
}
_REGISTER = {
    "name": "gpu-server-01",
    "endpoints": _ENDPOINTS,
    "apiKey": "server-api-key",
    "maxConcurrent": 10,
    "capabilities": ["video", "image"],
    "groups": ["production"],
    "priority": 1,
}
_CLAIMED = {
    "taskId": "task_abc123",
    "type": "video-processing",
    "priority": 1,
    "payload": {"video_url": "https://example.com/video.mp4"},
    "capabilities": ["video"],
    "attempt": 1,
    "callbackUrl": "https://dispatcher.example.com/api/task/task_abc123",
    "callbackToken": "<a token for this attempt only>",
    "deadline": 1704557100000,
    "lease": 30,
}
_METRICS = {
    "uptime": 3600000,
    "tasksProcessed": 150,
    "successCount": 147,
    "failureCount": 3,
    "averageProcessingTime": 45000,
    "currentLoad": 0.6,
    "reported": {"cpu": 45, "memory": 60, "gpu": 80},
}


def server_operations(routes: ServerRoutes, claims: ClaimRoutes) -> list[Operation]:
    return [
        Operation(
            "registerServer", "POST", "/api/servers", TAG, "Register Server", ADMINS, Rate.REGISTER, routes.register,
            answer=RegisteredAnswer, request=RegisterServer, parameters=(_KEY,), errors=(*_BODY_ERRORS, e.Forbidden),
            example=Example(
                {
                    "serverId": "server_xyz789",
                    "message": "Server registered successfully",
                    "serverToken": "<a token for this server only>",
                },
                _REGISTER,
            ),
        ),
        Operation(
            "listServers", "GET", "/api/servers", TAG, "List Servers", ADMINS, Rate.DEFAULT, routes.find,
            answer=ServerListAnswer, parameters=_FILTERS, errors=(e.Invalid, e.Forbidden),
            example=Example({"servers": [_SERVER], "total": 1}),
        ),
        Operation(
            "getServer", "GET", "/api/servers/{id}", TAG, "Get Server", ADMINS_AND_ITSELF, Rate.DEFAULT, routes.get,
            answer=ServerAnswer, errors=_GONE, example=Example(_SERVER, path=_PATH),
        ),
        Operation(
            "unregisterServer", "DELETE", "/api/servers/{id}", TAG, "Unregister Server", ADMINS_AND_ITSELF,
            Rate.DEFAULT, routes.unregister, answer=ServerMessage, errors=_GONE,
            example=Example({"message": "Server unregistered", "serverId": "server_xyz789"}, path=_PATH),
        ),
        Operation(
            "serverHeartbeat", "POST", "/api/servers/{id}/heartbeat", TAG, "Update Server Heartbeat",
            ADMINS_AND_ITSELF, Rate.REPORT, routes.heartbeat,
            answer=ServerStatusAnswer, request=Heartbeat, body_optional=True, errors=(*_BODY_ERRORS, *_GONE),
            example=Example(
                {"message": "Heartbeat updated", "serverId": "server_xyz789", "status": "online"},
                {"status": "healthy", "activeTasks": 3, "metrics": {"cpu": 45, "memory": 60, "gpu": 80}},
                _PATH,
            ),
        ),
        Operation(
            "claimTask", "POST", "/api/servers/{id}/claim", TAG, "Claim Task (transport pull)", ADMINS_AND_ITSELF,
            Rate.REPORT, claims.claim, answer=ClaimAnswer, request=ClaimTask, body_optional=True, parameters=(_WAIT,),
            empty="No task for this server now",
            errors=(*_BODY_ERRORS, *_GONE, e.IllegalState, e.Unavailable),
            example=Example(_CLAIMED, {"wait": 20}, _PATH),
        ),
        Operation(
            "setMaintenance", "POST", "/api/servers/{id}/maintenance", TAG, "Set Maintenance Mode", ADMINS_AND_ITSELF,
            Rate.DEFAULT, routes.maintenance,
            answer=ServerStatusAnswer, request=SetMaintenance, errors=(*_BODY_ERRORS, *_GONE),
            example=Example(
                {"message": "Maintenance mode enabled", "serverId": "server_xyz789", "status": "maintenance"},
                {"maintenance": True, "reason": "Scheduled maintenance"},
                _PATH,
            ),
        ),
        Operation(
            "getServerMetrics", "GET", "/api/servers/{id}/metrics", TAG, "Get Server Metrics", ADMINS_AND_ITSELF,
            Rate.DEFAULT, routes.metrics, answer=MetricsAnswer, errors=_GONE,
            example=Example({"serverId": "server_xyz789", "metrics": _METRICS}, path=_PATH),
        ),
    ]  # fmt: skip
