"""Stand-ins for the ports: they record what they are asked, and answer as scripted."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.failure import Accepted, Outcome, Verdict
from dispatcher.domain.grant import Cancelled, Candidates, Created, Finished, FreeServer, Grant, Granted, Ticked
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.principal import Owner, Principal, Role
from dispatcher.domain.registry import Registry
from dispatcher.domain.server import Endpoints, Server
from dispatcher.domain.stats import Counts, DayStats
from dispatcher.domain.task import NewTask, Task
from dispatcher.domain.transitions import TaskState
from dispatcher.service.dispatch import Dispatch, DispatchOptions
from dispatcher.service.latencies import Latencies
from dispatcher.service.waits import Waits

LANE = Demand().lane
OWNER = Owner("default", "ann")
ANN = Principal(OWNER, frozenset({Role.CLIENT}))
BOB = Principal(Owner("default", "bob"), frozenset({Role.CLIENT}))
ADMIN = Principal(Owner("default", "root"), frozenset({Role.ADMIN}))
DONE = Outcome(Verdict.COMPLETED, b"{}", "d", service_ms=5)
BUSY = Outcome(Verdict.BUSY)
FAILURE = Outcome(Verdict.FAILURE, code="BACKEND_ERROR")

_AFTER = {
    Verdict.COMPLETED: TaskState.COMPLETED,
    Verdict.FAILED: TaskState.FAILED,
    Verdict.FAILURE: TaskState.RETRYING,
    Verdict.TIMED_OUT: TaskState.RETRYING,
}


def a_server(server_id: str, seq: int = 1, **fields: Any) -> Server:
    endpoints = Endpoints(f"http://{server_id}/predict", cancel=f"http://{server_id}/cancel")
    return Server(server_id, seq, "native", server_id, endpoints, Offer(), 0, 0, **fields)


def a_grant(task_id: str = "t1", server_id: str = "a", fence: int = 1, **fields: Any) -> Grant:
    known = {"nonce": f"n{fence}", "type": "x", "lane": LANE, "points": 0, "spec": b"{}", "payload": b"{}"}
    return Grant(task_id, server_id, fence, **(known | {"now_ms": 1_000, "deadline_ms": 61_000} | fields))


def a_task(task_id: str = "t1", state: TaskState = TaskState.PROCESSING, **fields: Any) -> Task:
    known: dict[str, Any] = {"origin": "native", "owner": OWNER, "type": "x", "lane": LANE, "points": 0}
    return Task(task_id, state=state, created_ms=0, updated_ms=0, rev=1, **(known | fields))


def a_new_task(task_id: str = "t1", **fields: Any) -> NewTask:
    known: dict[str, Any] = {"spec": b"{}", "payload": b"{}", "timeout_ms": 60_000}
    return NewTask(task_id, "native", OWNER, "x", Demand(), 0, 0, **(known | fields))


def free(*loads: tuple[str, float] | str, complete: bool = True) -> Candidates:
    pairs = [(load, 0.0) if isinstance(load, str) else load for load in loads]
    return Candidates(tuple(FreeServer(server_id, load) for server_id, load in pairs), complete)


class Scripted:
    """Answers each method's calls with its script, in order, then with its default. An exception is raised, a
    function is called with the arguments."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._answers: dict[str, list[Any]] = {}

    def script(self, method: str, *answers: Any) -> None:
        self._answers.setdefault(method, []).extend(answers)

    def asked(self, method: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.calls if name == method]

    async def _answer(self, method: str, default: Any, **arguments: Any) -> Any:
        self.calls.append((method, arguments))
        await asyncio.sleep(0)
        script = self._answers.get(method)
        answer = script.pop(0) if script else default
        if isinstance(answer, Exception):
            raise answer
        answer = answer(arguments) if callable(answer) else answer
        return await answer if asyncio.iscoroutine(answer) else answer


class FakeTasks(Scripted):
    """A TaskStore in which every claim is granted and every end is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.fences: dict[str, int] = {}

    async def create(self, task: NewTask, **rest: Any) -> Created:
        return await self._answer("create", Created(task.id, TaskState.PENDING, 1_000), task=task, **rest)

    async def claim(self, task_id: str, server_id: str, **rest: Any) -> Any:
        def grant(_: Any) -> Granted:
            self.fences[task_id] = self.fences.get(task_id, 0) + 1
            return Granted(a_grant(task_id, server_id, self.fences[task_id]))

        return await self._answer("claim", grant, task_id=task_id, server_id=server_id, **rest)

    async def claim_next(self, server_id: str, **rest: Any) -> Grant | None:
        return await self._answer("claim_next", None, server_id=server_id, **rest)

    async def finish(self, task_id: str, by: Any, outcome: Outcome, **rest: Any) -> Finished:
        default = Finished(_AFTER.get(outcome.verdict, TaskState.PENDING))
        finished = await self._answer("finish", default, task_id=task_id, by=by, outcome=outcome, **rest)
        if finished.grant is None or finished.duplicate:
            return finished
        if rest["want_next"] is None:
            return replace(finished, grant=None)
        return replace(finished, grant=replace(finished.grant, nonce=rest["want_next"]))

    async def accept(self, task_id: str, by: Any, **rest: Any) -> bool:
        return await self._answer("accept", True, task_id=task_id, by=by, **rest)

    async def progress(self, task_id: str, by: Any, percent: float, **rest: Any) -> Task:
        answer = a_task(task_id, progress=percent)
        return await self._answer("progress", answer, task_id=task_id, percent=percent, **rest)

    async def history(self, task_id: str, **rest: Any) -> list[MetricsPoint]:
        return await self._answer("history", [], task_id=task_id, **rest)

    async def pause(self, task_id: str, **rest: Any) -> None:
        await self._answer("pause", None, task_id=task_id, **rest)

    async def resume(self, task_id: str, **rest: Any) -> None:
        await self._answer("resume", None, task_id=task_id, **rest)

    async def renew(self, held: Any, **rest: Any) -> frozenset[Any]:
        return await self._answer("renew", frozenset(), held=held, **rest)

    async def cancel(self, task_id: str, **rest: Any) -> Cancelled:
        return await self._answer("cancel", Cancelled(), task_id=task_id, **rest)

    async def free_slot(self, task_id: str, server_id: str, fence: int) -> None:
        await self._answer("free_slot", None, task_id=task_id, server_id=server_id, fence=fence)

    async def retry(self, task_id: str, **rest: Any) -> Created:
        return await self._answer("retry", Created(task_id, TaskState.PENDING, 1_000), task_id=task_id, **rest)

    async def delete(self, task_id: str, **rest: Any) -> None:
        await self._answer("delete", None, task_id=task_id, **rest)

    async def get(self, task_id: str, **rest: Any) -> Any:
        return await self._answer("get", (a_task(task_id), None), task_id=task_id, **rest)

    async def find(self, query: Any) -> Any:
        return await self._answer("find", ([], 0), query=query)

    async def running(self, server_ids: Any) -> dict[str, list[Task]]:
        return await self._answer("running", {}, server_ids=server_ids)

    async def holding(self, server_id: str) -> Any:
        return await self._answer("holding", [], server_id=server_id)

    async def updates(self, task_id: str, after_rev: int) -> Any:
        return await self._answer("updates", ([], False), task_id=task_id, after_rev=after_rev)

    async def watch(self, task_id: str, gateway: str) -> bool:
        return await self._answer("watch", True, task_id=task_id, gateway=gateway)

    async def tick(self, **rest: Any) -> Ticked:
        return await self._answer("tick", Ticked(0, False), **rest)

    async def peek(self, **rest: Any) -> Any:
        return await self._answer("peek", [], **rest)


class FakeServers(Scripted):
    def __init__(self, *servers: Server, algorithm: str = "round-robin") -> None:
        super().__init__()
        self.algorithm = algorithm
        self.servers = {server.id: server for server in servers}

    async def snapshot(self) -> Registry:
        registry = Registry(1, self.algorithm, self.servers, {LANE: Demand()})
        return await self._answer("snapshot", registry)

    async def all(self) -> list[Server]:
        return await self._answer("all", list(self.servers.values()))

    async def get(self, server_id: str) -> Server:
        return await self._answer("get", self.servers.get(server_id), server_id=server_id)

    async def put(self, server: Any, **rest: Any) -> Server:
        return await self._answer("put", a_server(server.id), server=server, **rest)

    async def remove(self, server_id: str) -> None:
        await self._answer("remove", None, server_id=server_id)

    async def heartbeat(self, server_id: str, **rest: Any) -> Server:
        return await self._answer("heartbeat", a_server(server_id), server_id=server_id, **rest)

    async def connect(self, server_id: str, session: str, gateway: str) -> None:
        await self._answer("connect", None, server_id=server_id, session=session, gateway=gateway)

    async def disconnect(self, server_id: str, session: str, *, left: bool = False) -> None:
        await self._answer("disconnect", None, server_id=server_id, session=session)

    async def probed(self, server_id: str, ok: bool) -> None:
        await self._answer("probed", None, server_id=server_id, ok=ok)

    async def set_maintenance(self, server_id: str, on: bool, reason: str) -> Server:
        server = a_server(server_id, maintenance=on, reason=reason)
        return await self._answer("set_maintenance", server, server_id=server_id, on=on, reason=reason)

    async def set_algorithm(self, name: str, *, by: str) -> None:
        await self._answer("set_algorithm", None, name=name, by=by)


class FakeStats(Scripted):
    async def day(self, origin: str, owner: Any, date: str) -> DayStats:
        return await self._answer("day", DayStats(date), origin=origin, owner=owner, date=date)

    async def waiting(self, origin: str, owner: Any, date: str | None) -> Any:
        return await self._answer("waiting", {}, origin=origin, owner=owner, date=date)

    async def standing(self, origin: str, owner: Any, facets: Any = ("",)) -> Any:
        return await self._answer("standing", {}, origin=origin, owner=owner, facets=facets)

    async def server_day(self, server_id: str, date: str) -> Any:
        return await self._answer("server_day", (DayStats(date), 0.5), server_id=server_id, date=date)

    async def server_totals(self, server_id: str) -> Counts:
        return await self._answer("server_totals", Counts(completed=3), server_id=server_id)

    async def busiest(self, date: str, limit: int) -> Any:
        return await self._answer("busiest", [], date=date, limit=limit)

    async def servers_day(self, date: str, server_ids: Any) -> Any:
        return await self._answer("servers_day", {}, date=date, server_ids=server_ids)


class FakeForwarder(Scripted):
    """Servers that complete everything; with `gate` a call ends only when it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: asyncio.Event | None = None
        self.running = self.most = self.aborted = 0

    async def predict(self, grant: Grant, server: Server, *, remaining_ms: int) -> Outcome | Accepted:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.gate is not None:
                await self.gate.wait()
            return await self._answer("predict", DONE, grant=grant, server=server, remaining_ms=remaining_ms)
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        finally:
            self.running -= 1

    async def cancel(self, server: Server, task_id: str, fence: int) -> bool:
        return await self._answer("cancel", True, server=server, task_id=task_id, fence=fence)

    async def probe(self, server: Server) -> bool:
        return await self._answer("probe", True, server=server)

    def to(self) -> list[str]:
        """The servers that were called, in order."""
        return [call["server"].id for call in self.asked("predict")]


class Gateway:
    """A dispatcher with its stand-ins and a clock that its own pauses move."""

    def __init__(self, *servers: Server, algorithm: str = "round-robin", **options: Any) -> None:
        self.clock = ManualClock()
        self.rng = random.Random(7)
        self.tasks = FakeTasks()
        self.servers = FakeServers(*servers, algorithm=algorithm)
        self.forwarder = FakeForwarder()
        self.waits = Waits()
        self.latencies = Latencies()
        self.pauses: list[float] = []
        self.dispatch = Dispatch(
            self.tasks,
            self.servers,  # type: ignore[arg-type]
            self.forwarder,
            self.waits,
            self.latencies,
            clock=self.clock,
            rng=self.rng,
            gateway="gw_1",
            options=DispatchOptions(**options),
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(round(seconds * 1000) + 1)
        await asyncio.sleep(0)

    def start(self, task_id: str = "t1", candidates: Candidates | None = None, turn: int = 0, **rest: Any) -> None:
        offered = candidates if candidates is not None else free(*self.servers.servers)
        self.dispatch.start(task_id, LANE, turn, offered, **rest)

    async def settle(self) -> None:
        # patience, not a limit: 3,000 tasks take a busy machine 2 s
        assert await self.dispatch.idle(30.0), "work did not end"

    def ends(self) -> list[tuple[str, Verdict]]:
        return [(call["task_id"], call["outcome"].verdict) for call in self.tasks.asked("finish")]


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until something is so."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never became so")
