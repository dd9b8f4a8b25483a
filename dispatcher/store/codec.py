"""Between the store's bytes and the domain's values."""

from collections.abc import Sequence
from typing import Any

from dispatcher.domain.grant import Candidates, FreeServer, Grant
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAttempt, ByHolder, Reporter
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import Endpoints, Server, ServerHealth, Transport
from dispatcher.domain.task import Attempt, AttemptStatus, Task, TaskError
from dispatcher.domain.transitions import TaskState


def fields(flat: Sequence[bytes]) -> dict[str, str]:
    """A flat HGETALL reply as text."""
    return {flat[i].decode(): flat[i + 1].decode("utf-8", "replace") for i in range(0, len(flat), 2)}


def who(owner: Owner | None) -> dict[str, str]:
    """The owner as scripts take it; empty for an admin, who may see all."""
    return {"tenant": owner.tenant if owner else "", "sub": owner.sub if owner else ""}


def demand_text(demand: Demand) -> str:
    """A demand as it is kept with its tasks: nothing for the plain one, which most have."""
    return "" if demand == Demand() else demand.to_json()


def demand(text: str) -> Demand:
    return Demand.from_json(text) if text else Demand()


def totals_text(offer: Offer) -> str:
    """A server's totals as the scripts read them: nothing where they are not declared."""
    if offer.resources is None:
        return ""
    return offer.resources.to_text() or "0 0 0 0 0"


def _optional(value: str | None) -> int | None:
    return int(float(value)) if value else None


def attempt(entry: bytes) -> Attempt:
    fence, server, started, ended, status, error, note = entry.decode("utf-8", "replace").split("\t", 6)
    return Attempt(int(fence), server, int(started), _optional(ended), AttemptStatus(status), error, note)


def task(
    task_id: str,
    f: dict[str, str],
    *,
    spec: bytes,
    attempts: Sequence[bytes] = (),
    result: bytes = b"",
    payload: bytes = b"",
) -> Task:
    state = TaskState(f["state"])
    failed = state in (TaskState.FAILED, TaskState.TIMEOUT)
    return Task(
        id=task_id,
        origin=f["origin"],
        owner=Owner(f["tenant"], f["sub"]),
        type=f["type"],
        lane=f["lane"],
        points=int(f["points"]),
        state=state,
        created_ms=int(f["created"]),
        updated_ms=int(f["updated"]),
        rev=int(f["rev"]),
        spec=spec,
        progress=float(f.get("progress", "0")),
        fence=int(f.get("fence", "0")),
        server_id=f.get("server") or None,
        note=f.get("note", ""),
        started_ms=_optional(f.get("started")),
        ended_ms=_optional(f.get("ended")),
        run_at_ms=_optional(f.get("run_at")),
        retry_at_ms=_optional(f.get("retry_at")),
        deadline_ms=_optional(f.get("deadline")),
        timeout_ms=int(f["timeout"]),
        model=f.get("model", ""),
        failures=int(f.get("failures", "0")),
        losses=int(f.get("losses", "0")),
        run=int(f.get("run", "0")),
        gang=int(f.get("gang", "1")),
        attempt_lives=state is TaskState.PROCESSING or (state is TaskState.PAUSED and "halted" in f),
        result=result if state in (TaskState.COMPLETED, TaskState.FAILED) and result else None,
        payload=payload or None,
        needs=Resources.from_text(f.get("needs", "")),
        error=TaskError(f["code"], f.get("why", "")) if failed and f.get("code") else None,
        reason=f.get("reason", ""),
        metrics=f.get("metrics", "").encode(),
        checkpoint=f.get("checkpoint", ""),
        attempts=tuple(attempt(entry) for entry in reversed(attempts)),
    )


def server(server_id: str, active: int, allocated: bytes, flat: Sequence[bytes]) -> Server:
    raw = dict(zip(flat[::2], flat[1::2], strict=True))
    f = {k.decode(): v.decode("utf-8", "replace") for k, v in raw.items() if k != b"sealed_key"}
    offer = Offer.from_json(f["offer"])
    return Server(
        id=server_id,
        seq=int(f["seq"]),
        origin=f["origin"],
        name=f["name"],
        endpoints=Endpoints(
            f["predict"], f.get("health_url") or None, f.get("metrics_url") or None, f.get("cancel_url") or None
        ),
        offer=offer,
        registered_ms=int(f["registered"]),
        last_seen_ms=int(f["seen"]),
        sealed_key=raw.get(b"sealed_key", b""),
        max_concurrent=int(f["max"]),
        weight=int(f["weight"]),
        transport=Transport(f.get("transport", "push")),
        health=ServerHealth(f["health"]),
        online=f["online"] == "1",
        maintenance=f.get("maintenance") == "1",
        reason=f.get("reason", ""),
        ejected_until_ms=int(f.get("ejected", "0")),
        rest_until_ms=int(f.get("rest", "0")),
        probation=f.get("probation") == "1",
        active=active,
        allocated=NOTHING if offer.resources is None else Resources.from_text(allocated.decode()),
        models=frozenset(filter(None, f.get("models", "").split("\n"))),
        reported_active=_optional(f.get("reported")) if f.get("reported") else None,
        latency_ms=float(f["latency"]) if "latency" in f else None,
        metrics=f.get("metrics", "{}"),
        boot_id=f.get("boot_id", ""),
        session=f.get("session", ""),
        gateway=f.get("gateway", ""),
        address=f.get("address", ""),
        left=f.get("left") == "1",
    )


def candidates(flat: Sequence[bytes]) -> tuple[Candidates, int]:
    """Candidates and turn from `complete turn (server load)...`."""
    free = tuple(FreeServer(flat[i].decode(), float(flat[i + 1])) for i in range(2, len(flat), 2))
    return Candidates(free, complete=flat[0] == b"1"), int(flat[1])


def grant(values: Sequence[Any], now_ms: int) -> Grant:
    text = [v.decode("utf-8", "replace") for v in (*values[:7], *values[9:18])]
    task_id, server_id, fence, nonce, type_, lane, points, ends, failures, losses, tried, checkpoint, *more = text
    rank, gang, demanded, needs = more
    return Grant(
        task_id=task_id,
        server_id=server_id,
        fence=int(fence),
        nonce=nonce,
        type=type_,
        lane=lane,
        points=int(points),
        spec=values[7],
        payload=values[8],
        now_ms=now_ms,
        deadline_ms=int(ends),
        failures=int(failures),
        losses=int(losses),
        tried=frozenset(filter(None, tried.split(","))),
        checkpoint=checkpoint,
        rank=int(rank),
        gang=int(gang),
        kind=demand(demanded).kind,
        needs=Resources.from_text(needs),
    )


def metrics_point(entry: bytes) -> MetricsPoint:
    at, rank, percent, metrics = entry.split(b"\t", 3)
    return MetricsPoint(int(at), int(rank), float(percent), metrics)


def reporter(by: Reporter) -> dict[str, str | int]:
    """Who reports, as the scripts take it."""
    match by:
        case ByAttempt(fence, nonce):
            return {"by": "attempt", "fence": fence, "nonce": nonce, "holder": ""}
        case ByHolder(server_id, fence):
            return {"by": "holder", "fence": fence or 0, "nonce": "", "holder": server_id}
        case _:
            return {"by": "admin", "fence": 0, "nonce": "", "holder": ""}
