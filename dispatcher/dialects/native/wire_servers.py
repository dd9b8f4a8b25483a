"""Servers between the wire and the domain. Pure."""

from dispatcher.dialects.native.answers import EndpointsAnswer, MetricsAnswer, MetricsFields, ServerAnswer
from dispatcher.dialects.native.options import ORIGIN
from dispatcher.dialects.native.requests import Heartbeat, RegisterServer
from dispatcher.dialects.native.wire_resources import resources, resources_answer
from dispatcher.domain.errors import Invalid
from dispatcher.domain.lane import Offer
from dispatcher.domain.server import Endpoints, NewServer, Server, Transport
from dispatcher.domain.stats import Counts
from dispatcher.domain.telemetry import read_metrics
from dispatcher.web.jsonbody import JsonObject

MOST_METRICS = 8192  # bytes


def new_server(body: RegisterServer, server_id: str, sealed_key: bytes) -> NewServer:
    ends = body.endpoints
    return NewServer(
        id=server_id,
        origin=ORIGIN,
        name=body.name,
        endpoints=Endpoints(ends.predict, ends.health, ends.metrics, ends.cancel) if ends else Endpoints(),
        offer=Offer(
            kinds=frozenset(body.kinds),
            capabilities=frozenset(body.capabilities),
            groups=frozenset(body.groups),
            resources=None if body.resources is None else resources(body.resources),
        ),
        sealed_key=sealed_key,
        max_concurrent=body.max_concurrent,
        weight=body.priority,
        transport=Transport(body.transport),
    )


def check_transport(body: RegisterServer) -> None:
    """Raises Invalid for endpoints that are missing, or that nobody would ever call."""
    if body.transport == "push" and body.endpoints is None:
        raise Invalid("Missing required field: endpoints", field="endpoints")
    if body.transport != "push":
        for field, value in (("endpoints", body.endpoints), ("apiKey", body.api_key)):
            if value is not None:
                raise Invalid(f"Invalid field {field}: a server that claims its tasks is never called", field=field)


def urls(body: RegisterServer) -> list[tuple[str, str]]:
    """The URLs of a registration with the names of their fields."""
    given = body.endpoints.model_dump(exclude_none=True) if body.endpoints is not None else {}
    return [(f"endpoints.{name}", url) for name, url in given.items()]


def metrics_text(body: Heartbeat, json: JsonObject) -> str:
    """The figures of a heartbeat as they came. Raises Invalid."""
    return bounded_metrics(json) if body.metrics else "{}"


def bounded_metrics(json: JsonObject) -> str:
    """Raises Invalid for figures that are too many to keep."""
    metrics = json.raw_members["metrics"]
    if len(metrics) > MOST_METRICS:
        raise Invalid(f"Invalid field metrics: larger than {MOST_METRICS} bytes", field="metrics")
    return metrics.decode()


def server_answer(server: Server, now_ms: int) -> ServerAnswer:
    """A server without its secret. `now_ms` is the gateway's time, only for the two ages."""
    answer = ServerAnswer(
        id=server.id,
        name=server.name,
        status=server.status.value,
        registeredAt=server.registered_ms,
        lastHeartbeat=server.last_seen_ms,
        uptime=max(0, now_ms - server.registered_ms),
        timeSinceLastHeartbeat=max(0, now_ms - server.last_seen_ms),
        groups=sorted(server.offer.groups),
        priority=server.weight,
        capabilities=sorted(server.offer.capabilities),
        maxConcurrent=server.max_concurrent,
        activeTasks=server.active,
        transport=server.transport.value,
        endpoints=_endpoints(server.endpoints),
        maintenance=server.maintenance,
    )
    if server.offer.kinds != {"predict"}:
        answer["kinds"] = sorted(server.offer.kinds)
    if server.maintenance and server.reason:
        answer["maintenanceReason"] = server.reason
    if server.offer.resources is not None:
        answer["resources"] = resources_answer(server.offer.resources)
        answer["allocated"] = resources_answer(server.allocated)
    return answer


def _endpoints(endpoints: Endpoints) -> EndpointsAnswer:
    answer = EndpointsAnswer()
    if endpoints.predict:
        answer["predict"] = endpoints.predict
    if endpoints.health is not None:
        answer["health"] = endpoints.health
    if endpoints.metrics is not None:
        answer["metrics"] = endpoints.metrics
    if endpoints.cancel is not None:
        answer["cancel"] = endpoints.cancel
    return answer


def metrics_answer(server: Server, counts: Counts, now_ms: int) -> MetricsAnswer:
    metrics = MetricsFields(
        uptime=max(0, now_ms - server.registered_ms),
        tasksProcessed=counts.completed + counts.failed,
        successCount=counts.completed,
        failureCount=counts.failed,
        averageProcessingTime=counts.average_ms,
        currentLoad=round(server.load, 4),
        reported=read_metrics(server.metrics),
    )
    if server.offer.resources is not None:
        metrics["resources"] = resources_answer(server.offer.resources)
        metrics["allocated"] = resources_answer(server.allocated)
    return MetricsAnswer(serverId=server.id, metrics=metrics)
