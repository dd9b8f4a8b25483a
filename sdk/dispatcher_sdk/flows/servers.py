"""Flows of the servers. Registering needs an admin's token; a server's own token does for the rest of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dispatcher_sdk.flows.send import call, parse, parse_page, segment, without_none
from dispatcher_sdk.flows.steps import Flow, Listing, Options
from dispatcher_sdk.models import ClaimedTask, Page, Server, ServerAck, ServerMetrics


def register(
    options: Options,
    name: str,
    endpoints: Mapping[str, str] | None = None,
    *,
    api_key: str | None = None,
    max_concurrent: int = 1,
    capabilities: Sequence[str] = (),
    groups: Sequence[str] = (),
    priority: int = 1,
    transport: Literal["push", "pull", "socket"] = "push",
    resources: Mapping[str, float] | None = None,
    kinds: Sequence[str] | None = None,
    idempotency_key: str | None = None,
) -> Flow[ServerAck]:
    """Register a server; the answer carries its id and a token of its own.

    `endpoints` holds the URLs `predict`, and optionally `health`, `metrics` and `cancel`; the gateway shows `api_key`
    as a bearer token when it calls them. `max_concurrent` is 1..256, `priority` the weight in balancing, at least 1.
    With `transport` pull or socket the server is never called and has neither endpoints nor key: it claims its tasks,
    or is handed them over a WebSocket that it opens. `resources` (cpu, memoryMB, storageMB, gpu, gpuMemoryMB) are all
    it has; without them every task finds room on it. `kinds` are of the tasks that it runs (None: predict).
    """
    body = {
        "name": name,
        **without_none(endpoints=None if endpoints is None else dict(endpoints), apiKey=api_key),
        **without_none(resources=None if resources is None else dict(resources)),
        **without_none(kinds=None if kinds is None else list(kinds)),
        **({} if transport == "push" else {"transport": transport}),
        "maxConcurrent": max_concurrent,
        "capabilities": list(capabilities),
        "groups": list(groups),
        "priority": priority,
    }
    headers = {"Idempotency-Key": idempotency_key or options.new_key()}
    return parse(ServerAck, (yield from call(options, "POST", "/api/servers", body=body, headers=headers)))


def list_all(options: Options, *, status: str | None = None, group: str | None = None) -> Listing[Server]:
    """The servers; `status` is online, offline, maintenance or degraded."""

    def page(offset: int) -> Flow[Page[Server]]:
        query = {"status": status, "group": group, "offset": offset or None}
        body = yield from call(options, "GET", "/api/servers", query=query)
        return parse_page(Server, body, "servers", offset)

    return Listing(page)


def get(options: Options, server_id: str) -> Flow[Server]:
    """One server."""
    return parse(Server, (yield from call(options, "GET", _path(server_id))))


def heartbeat(
    options: Options,
    server_id: str,
    *,
    status: str = "healthy",
    active_tasks: int = 0,
    metrics: Mapping[str, float] | None = None,
    running: Sequence[str] | None = None,
    boot_id: str | None = None,
    models: Sequence[Mapping[str, Any]] | None = None,
) -> Flow[ServerAck]:
    """Say that the server is alive; due at least every 30 s. The answer may carry a fresh `server_token`.

    `status` is healthy, degraded or unhealthy; `metrics` holds percentages (`cpu`, `memory`, `gpu`); `running` the ids
    of the tasks at work; another `boot_id` than before says that the server restarted and lost what it had. `models`
    are all that it has in memory: {model, memory, gpuMemory, loadTime, active}, in bytes, milliseconds and tasks.
    """
    body = {
        "status": status,
        "activeTasks": active_tasks,
        **without_none(
            metrics=metrics,
            running=None if running is None else list(running),
            bootId=boot_id,
            models=None if models is None else list(models),
        ),
    }
    path = f"{_path(server_id)}/heartbeat"
    answer = yield from call(options, "POST", path, body=body, repeatable=True)
    return parse(ServerAck, answer, serverId=server_id)


def claim(options: Options, server_id: str, *, wait: float = 0.0) -> Flow[ClaimedTask | None]:
    """The next task of a server that was registered with transport pull; None when there was none for `wait` seconds.

    At most 30 seconds. The end is reported with `tasks.update`, or to the task's `callback_url`.
    """
    answer = yield from call(options, "POST", f"{_path(server_id)}/claim", body={"wait": wait}, patience=wait)
    return None if answer is None else parse(ClaimedTask, answer)


def unregister(options: Options, server_id: str) -> Flow[ServerAck]:
    """Remove the server; what it is working on goes back to the queue."""
    return parse(ServerAck, (yield from call(options, "DELETE", _path(server_id))))


def maintenance(
    options: Options, server_id: str, enabled: bool = True, *, reason: str | None = None
) -> Flow[ServerAck]:
    """Enable or disable maintenance: the server gets no new work, what it is working on ends normally."""
    body = {"maintenance": enabled, **without_none(reason=reason)}
    path = f"{_path(server_id)}/maintenance"
    answer = yield from call(options, "POST", path, body=body, repeatable=True)
    return parse(ServerAck, answer, serverId=server_id)


def metrics(options: Options, server_id: str) -> Flow[ServerMetrics]:
    """Detailed metrics of one server."""
    return parse(ServerMetrics, (yield from call(options, "GET", f"{_path(server_id)}/metrics")))


def _path(server_id: str) -> str:
    return f"/api/servers/{segment(server_id)}"
