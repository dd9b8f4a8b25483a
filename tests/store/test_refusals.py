"""A refused call leaves the key space byte for byte as it was, but for rate counts."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.command import WAITING_MOST, Command, CommandState, NewCommand
from dispatcher.domain.errors import DispatchError
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.file import NewFile
from dispatcher.domain.grant import Full, Gone, Grant, Held, Moved
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.log import LogStream, NewLine
from dispatcher.domain.operation import NewOperation, NewStep, Operation, OperationKind, StepState
from dispatcher.domain.placement import Placement
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAdmin, ByAttempt, ByHolder, Reporter
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import NewServer, ServerHealth, Transport
from dispatcher.service.ports import BatchTotals, IdempotencyKey, RateRule
from dispatcher.store import Store
from dispatcher.store.options import StoreOptions
from tests.store import redis_factory
from tests.store.world import GATEWAY, ORIGIN, OWNER, World, done, new_server, new_task

OPTIONS = StoreOptions(tenant_max=9, tenant_bytes_max=400, tenant_lanes_max=3, classes_max=2, lanes_max=4, files_max=1)
FOREIGN = Owner("acme", "bob")
BY_NOBODY = ByAttempt(1, "forged")


class Scene:
    """One task in each situation, on two servers."""

    def __init__(self, world: World, store: Store, namespace: str) -> None:
        self.world, self.store, self.namespace = world, store, namespace
        self.grants: dict[str, Grant] = {}

    async def set_up(self) -> None:
        world = self.world
        await world.given_server("s1", max_concurrent=3, resources=Resources(cpu=3.9))
        await world.given_server("s2", capabilities=["gpu"])
        for name in ("running", "completed", "failed", "cancelled"):
            self.grants[name] = await world.running(name, "s1")
            if name == "completed":
                await world.end(self.grants[name], done())
            if name == "failed":
                await world.end(self.grants[name], Outcome(Verdict.FAILED, code="X", text="no"))
        await self.store.tasks.cancel("cancelled", origin=ORIGIN, owner=OWNER)
        await self.store.tasks.free_slot("cancelled", "s1", 1)
        await self.store.tasks.create(new_task("keyed"), gateway=GATEWAY, key=IdempotencyKey("k", "d"))
        await world.given_task("waiting", capabilities=["gpu"])
        await world.given_task("large", needs=Resources(cpu=4))
        self.grants["paused"] = await world.running("paused", "s1")
        await world.end(self.grants["paused"], Verdict.RELEASED)
        await self.store.tasks.pause("paused", origin=ORIGIN, owner=OWNER)
        await self.store.servers.set_maintenance("s2", True, "test")
        agent = new_server("agent", capabilities=["gpu"], transport=Transport.SOCKET)
        await self.store.servers.put(agent)
        for n in range(WAITING_MOST):
            await self.store.commands.enqueue(command(world, f"c{n}", "agent"))
        await self.store.commands.report("agent", "c0", CommandState.ACKED)
        await self.store.commands.enqueue(command(world, "last", "agent"))
        await assign(self, "s2")
        await self.store.placements.begin_load("s2", "m")
        await self.store.placements.loaded("s2", "idle", Resources(), 1)
        await assign(self, "agent", "large")
        await self.store.placements.loaded("agent", "large", Resources(cpu=99), 1)
        await self.store.placements.begin_unload("agent", "large")
        await self.store.operations.create(operation(world, "op1"))
        await self.store.operations.advance("op1", 0, StepState.DONE)
        await self.store.operations.create(operation(world, "op2", guard="g"))
        await reserve("running", own("running"), "out", "first")(self)
        await put_file("running", own("running"), "first", file_id="f1")(self)
        await reserve("running", own("running"), "out", "reserved")(self)
        await self.store.batches.stage("staged", 0, [new_task("b1")])
        await world.advance(300)

    async def dump(self) -> dict[bytes, str]:
        found = await redis_factory.dump(self.store.client, self.namespace)
        return {key: value for key, value in found.items() if b":rl:" not in key or key.count(b":") < 4}

    def by(self, name: str) -> ByAttempt:
        return ByAttempt(self.grants[name].fence, self.grants[name].nonce)


@pytest.fixture
async def scene(servers: dict[str, str]) -> AsyncIterator[Scene]:
    clock = ManualClock()
    namespace = uuid.uuid4().hex
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            redis_factory.make_redis_store(servers["wheel"], clock, OPTIONS, namespace)
        )
        scene = Scene(
            World(store, clock, lambda: redis_factory.set_clock(store.client, namespace, clock)), store, namespace
        )
        await scene.set_up()
        yield scene


Refused = Callable[[Scene], Awaitable[Any]]


def create(**changes: Any) -> Refused:
    key = changes.pop("key", None)
    rate = changes.pop("rate", None)
    capabilities = changes.pop("capabilities", ())
    return lambda s: s.store.tasks.create(
        replace(new_task("new", capabilities=capabilities), **changes), gateway=GATEWAY, key=key, rate=rate
    )


def finish(task_id: str, by: Callable[[Scene], Reporter], outcome: Outcome | None = None) -> Refused:
    return lambda s: s.store.tasks.finish(
        task_id, by(s), outcome or done(b'{"other":1}', "d2"), gateway=GATEWAY, retry_delay_ms=1, want_next="n"
    )


def progress(task_id: str, by: Callable[[Scene], Reporter]) -> Refused:
    return lambda s: s.store.tasks.progress(task_id, by(s), 50.0)


def say(task_id: str, by: Callable[[Scene], Reporter], origin: str = ORIGIN) -> Refused:
    return lambda s: s.store.logs.append(task_id, by(s), [NewLine(LogStream.STDOUT, "x")], origin=origin, first=1)


def reserve(task_id: str, by: Callable[[Scene], Reporter], path: str = "new", blob: str = "b") -> Refused:
    return lambda s: s.store.files.reserve(task_id, by(s), path, origin=ORIGIN, blob=blob, keep_ms=9_999)


def put_file(
    task_id: str, by: Callable[[Scene], Reporter], blob: str = "reserved", size: int = 1, file_id: str = "f2"
) -> Refused:
    file = NewFile(file_id, task_id, "out", size, "text/plain", "", blob)
    return lambda s: s.store.files.put(file, by(s), origin=ORIGIN)


def delete_files(task_id: str, path: str | None, owner: Owner | None = OWNER) -> Refused:
    return lambda s: s.store.files.delete(task_id, path, origin=ORIGIN, owner=owner)


def owned(verb: str, task_id: str, owner: Owner | None = OWNER) -> Refused:
    extra: dict[str, Any] = {"retry": {"waiting_ms": None}}.get(verb, {})
    return lambda s: getattr(s.store.tasks, verb)(task_id, origin=ORIGIN, owner=owner, **extra)


def holder(server_id: str, fence: int | None = None) -> Callable[[Scene], Reporter]:
    return lambda _: ByHolder(server_id, fence)


def own(name: str) -> Callable[[Scene], Reporter]:
    return lambda s: s.by(name)


def confined(server_id: str, only: str) -> NewServer:
    return replace(new_server(server_id), offer=Offer(only=only))


def command(world: World, command_id: str, server_id: str, life_ms: int = 60_000) -> NewCommand:
    return NewCommand(command_id, server_id, "model.load", world.now + life_ms)


def enqueue(server_id: str, life_ms: int = 60_000) -> Refused:
    return lambda s: s.store.commands.enqueue(command(s.world, "new", server_id, life_ms))


def operation(world: World, operation_id: str, guard: str = "") -> NewOperation:
    step = NewStep("worker.restart", "agent")
    return NewOperation(operation_id, OperationKind.RESTART, "ann", (step,), 60_000, guard)


async def assign(scene: Scene, server_id: str, model: str = "m") -> None:
    await scene.store.placements.assign(model, [server_id], assignment="a", preload=True, priority=50)


RAISING: dict[str, Refused] = {
    "create: key reused": create(key=IdempotencyKey("k", "other")),
    "create: deadline in the past": create(deadline_ms=1),
    "create: too many bytes": create(payload=b'"' + b"x" * 400 + b'"'),
    "finish: unknown task": finish("nothing", lambda _: BY_NOBODY),
    "finish: forged nonce": finish("running", lambda _: BY_NOBODY),
    "finish: newer fence than any": finish("running", lambda _: ByAttempt(7, "n")),
    "finish: a server that never held it": finish("running", holder("s2")),
    "finish: a holder's older attempt": finish("running", holder("s1", 9)),
    "finish: admin, no attempt yet": finish("waiting", lambda _: ByAdmin()),
    "finish: other result": finish("completed", own("completed")),
    "finish: other end": finish("failed", own("failed")),
    "finish: cancelled": finish("cancelled", own("cancelled")),
    "finish: failure after the end": finish("completed", own("completed"), Outcome(Verdict.FAILURE)),
    "progress: unknown task": progress("nothing", lambda _: BY_NOBODY),
    "progress: forged nonce": progress("running", lambda _: BY_NOBODY),
    "progress: never held": progress("running", holder("s2")),
    "progress: ended": progress("completed", own("completed")),
    "progress: no attempt": progress("waiting", lambda _: ByAdmin()),
    "cancel: unknown": owned("cancel", "nothing"),
    "cancel: somebody else's": owned("cancel", "running", FOREIGN),
    "cancel: completed": owned("cancel", "completed"),
    "progress: metrics of a forged attempt": lambda s: s.store.tasks.progress(
        "running", BY_NOBODY, 50.0, metrics=b"{}", checkpoint="c"
    ),
    "progress: paused, and its attempt is over": progress("paused", own("paused")),
    "pause: unknown": owned("pause", "nothing"),
    "pause: somebody else's": owned("pause", "waiting", FOREIGN),
    "pause: completed": owned("pause", "completed"),
    "pause: its worker cannot be told": owned("pause", "running"),
    "resume: somebody else's": owned("resume", "paused", FOREIGN),
    "resume: cancelled": owned("resume", "cancelled"),
    "retry: paused": owned("retry", "paused"),
    "delete: paused": owned("delete", "paused"),
    "retry: somebody else's": owned("retry", "failed", FOREIGN),
    "retry: running": owned("retry", "running"),
    "retry: cancelled": owned("retry", "cancelled"),
    "delete: somebody else's": owned("delete", "failed", FOREIGN),
    "delete: running": owned("delete", "running"),
    "remove: unknown": lambda s: s.store.servers.remove("nobody"),
    "heartbeat: unknown": lambda s: s.store.servers.heartbeat(
        "nobody", health=ServerHealth.HEALTHY, active=1, metrics="{}", boot_id="b", running=["running"]
    ),
    "heartbeat: of a connection that was replaced": lambda s: s.store.servers.heartbeat(
        "s1", health=ServerHealth.HEALTHY, active=1, metrics="{}", boot_id="b", running=["running"], session="older"
    ),
    "maintenance: unknown": lambda s: s.store.servers.set_maintenance("nobody", True, ""),
    "log: unknown task": say("nothing", lambda _: BY_NOBODY),
    "log: other origin": say("running", own("running"), "jobs"),
    "log: forged nonce": say("running", lambda _: BY_NOBODY),
    "log: never held": say("running", holder("s2")),
    "log: no attempt": say("waiting", lambda _: ByAdmin()),
    "log: ended": say("completed", own("completed")),
    "file: forged nonce": reserve("running", lambda _: BY_NOBODY),
    "file: ended": reserve("completed", own("completed")),
    "file: too many": reserve("running", own("running")),
    "file: record of an attempt that is over": put_file("completed", own("completed")),
    "file: record of a blob that nobody announced": put_file("running", own("running"), "other"),
    "file: larger than its room": put_file("running", own("running"), size=2 << 30),
    "files: somebody else's": delete_files("running", None, FOREIGN),
    "files: no such path": delete_files("running", "nothing"),
    "commit: nothing staged": lambda s: s.store.batches.commit("b", BatchTotals(ORIGIN, OWNER, Demand(), 1, 7)),
    "commit: not all there": lambda s: s.store.batches.commit("staged", BatchTotals(ORIGIN, OWNER, Demand(), 2, 7)),
    "commit: too many bytes": lambda s: s.store.batches.commit("staged", BatchTotals(ORIGIN, OWNER, Demand(), 1, 401)),
    "cancel: running, when only what waits may be": lambda s: s.store.tasks.cancel(
        "running", origin=ORIGIN, owner=OWNER, waiting_only=True
    ),
    "claim next: unknown worker": lambda s: s.store.tasks.claim_next(
        "nobody", claim_id="c", nonce="n", gateway=GATEWAY, lease_ms=1
    ),
    "command: unknown worker": enqueue("nobody"),
    "command: no control channel": enqueue("s1"),
    "command: too late": enqueue("agent", -1),
    "command: too many": enqueue("agent"),
    "command: not this worker's": lambda s: s.store.commands.report("s1", "c1", CommandState.DONE),
    "reoffer: unknown": lambda s: s.store.servers.reoffer("nobody", Offer()),
    "reoffer: too many classes": lambda s: s.store.servers.reoffer("s1", Offer(resources=Resources(cpu=1))),
    "claim next: another connection took over": lambda s: s.store.tasks.claim_next(
        "s1", claim_id="c", nonce="n", gateway=GATEWAY, lease_ms=1, session="gone"
    ),
    "connect: unknown worker": lambda s: s.store.servers.connect("nobody", "s", GATEWAY),
    "operation: guarded": lambda s: s.store.operations.create(operation(s.world, "op3", guard="g")),
    "operation: unknown step's": lambda s: s.store.operations.advance("nothing", 0, StepState.DONE),
    "operation: unknown": lambda s: s.store.operations.fail("nothing", "x"),
    "model: unknown worker": lambda s: assign(s, "nobody"),
    "model: no room": lambda s: assign(s, "s1", "large"),
    "model: unloaded there": lambda s: assign(s, "agent", "large"),
    "model: loads now": lambda s: s.store.placements.begin_unload("s2", "m"),
    "model: not there": lambda s: s.store.placements.unloaded("s1", "m"),
    "model: cannot fail there": lambda s: s.store.placements.failed("s1", "m", "x"),
    "model: loaded by nobody": lambda s: s.store.placements.loaded("nobody", "m", Resources(), 1),
    "register: through another door": lambda s: s.store.servers.put(confined("s1", only="farm")),
    "register again: through another door": lambda s: s.store.servers.put(confined("s1", only="farm"), keep=True),
    "reoffer: through another door": lambda s: s.store.servers.reoffer("s1", Offer(only="farm")),
    "register: too many classes": lambda s: s.store.servers.put(new_server("s9", capabilities=["other"])),
}


@pytest.mark.parametrize("name", RAISING)
async def test_an_error_leaves_no_trace(scene: Scene, name: str) -> None:
    before = await scene.dump()
    with pytest.raises(DispatchError):
        await RAISING[name](scene)
    assert await scene.dump() == before


async def test_rate_and_quota_refusals_leave_only_the_count(scene: Scene) -> None:
    rule = RateRule("create", "acme/ann", 1)
    await scene.store.coordination.limit(rule)
    before = await scene.dump()
    with pytest.raises(DispatchError, match="per minute"):
        await create(rate=rule)(scene)
    assert await scene.dump() == before
    for n in range(OPTIONS.tenant_max):  # until the quota is full
        with contextlib.suppress(DispatchError):
            await scene.world.given_task(f"more{n}")
    before = await scene.dump()
    with pytest.raises(DispatchError, match="of this tenant"):
        await create()(scene)
    assert await scene.dump() == before


ANSWERING: dict[str, tuple[Refused, Any]] = {
    "claim: unknown task": (lambda s: s.world.claim("nothing", "s1"), Gone),
    "claim: started already": (lambda s: s.world.claim("running", "s1"), Gone),
    "claim: completed": (lambda s: s.world.claim("completed", "s1"), Gone),
    "claim: unknown server": (lambda s: s.world.claim("keyed", "nobody"), Full),
    "claim: no room": (lambda s: s.world.claim("large", "s1"), Full),
    "claim: in maintenance": (lambda s: s.world.claim("waiting", "s2"), Full),
    "claim: other load": (lambda s: s.world.claim("keyed", "s1", expected_load=3.0), Moved),
    "accept: stale": (lambda s: s.store.tasks.accept("running", BY_NOBODY, lease_ms=1_000), bool),
    "renew: stale": (
        lambda s: s.store.tasks.renew([Held("running", "s1", 9)], gateway=GATEWAY, lease_ms=99_000),
        frozenset,
    ),
    "cancel: again": (lambda s: owned("cancel", "cancelled")(s), object),
    "pause: again": (owned("pause", "paused"), type(None)),
    "resume: not paused": (owned("resume", "running"), type(None)),
    "finish: paused, and written off before": (
        lambda s: finish("paused", own("paused"), Outcome(Verdict.LOST))(s),
        object,
    ),
    "watch: ended": (lambda s: s.store.tasks.watch("completed", "gw_2"), bool),
    "free slot: running": (lambda s: s.store.tasks.free_slot("running", "s1", 1), type(None)),
    "disconnect: another connection took over": (lambda s: s.store.servers.disconnect("s1", "gone"), type(None)),
    "command: known": (lambda s: s.store.commands.enqueue(command(s.world, "c1", "s1")), Command),
    "command: not moved on": (lambda s: s.store.commands.report("agent", "c0", CommandState.SENT, "x"), Command),
    "operation: known": (lambda s: s.store.operations.create(operation(s.world, "op1")), Operation),
    "operation: ended": (lambda s: s.store.operations.advance("op1", 0, StepState.FAILED, "x"), Operation),
    "operation: no such step": (lambda s: s.store.operations.advance("op2", 1, StepState.DONE), Operation),
    "operation: ended before": (lambda s: s.store.operations.fail("op1", "x"), Operation),
    "model: not its turn": (lambda s: s.store.placements.begin_load("agent", "large"), Placement),
    "model: nothing to fail": (lambda s: s.store.placements.failed("s2", "idle", "x"), Placement),
    "finish: the same again": (lambda s: finish("completed", own("completed"), done())(s), object),
}


async def test_a_refused_seat_and_key_leave_no_trace(scene: Scene) -> None:
    seats = scene.store.coordination
    await seats.take_seat("a/b", "s", most=1, lives_ms=1_000)
    before = await scene.dump()
    assert not await seats.take_seat("a/b", "t", most=1, lives_ms=1_000)
    assert not await scene.store.keys.revoke("nothing")
    runner = scene.store.tasks._run  # type: ignore[attr-defined]
    assert (await runner.call("put_api_key", key_id="k", record="{}", most=0)).tag == "too_many"
    assert await scene.dump() == before


@pytest.mark.parametrize("name", ANSWERING)
async def test_a_refusing_answer_leaves_no_trace(scene: Scene, name: str) -> None:
    call, kind = ANSWERING[name]
    before = await scene.dump()
    assert isinstance(await call(scene), kind)
    assert await scene.dump() == before


async def test_a_refused_definition_leaves_no_trace(scene: Scene) -> None:
    runner = scene.store.tasks._run  # type: ignore[attr-defined]
    before = await scene.dump()
    assert (await runner.call("define_lane", lane="l", spec="{}", matching="0")).tag == "stale"
    stale = await runner.call(
        "put_server", server_id="s9", server_class="c9", class_spec="{}", matching="0", alias="", origin=ORIGIN,
        name="n", predict="", health="", metrics_url="", cancel_url="", offer="{}", totals="", sealed_key=b"", max=1,
        weight=1, transport="push", silence=0, forget=0, address="", only="", keep="0",
    )  # fmt: skip
    assert stale.tag == "stale"
    stale = await runner.call(
        "reoffer_server", server_id="s1", server_class="c9", class_spec="{}", matching="0", offer="{}", totals="",
        only="", max="",
    )  # fmt: skip
    assert stale.tag == "stale"
    assert await scene.dump() == before


async def test_an_unknown_lane_is_refused_without_a_count(scene: Scene) -> None:
    runner = scene.store.tasks._run  # type: ignore[attr-defined]
    before = await redis_factory.dump(scene.store.client, scene.namespace)
    reply = await runner.call(
        "create_task", task_id="t", origin=ORIGIN, tenant="a", sub="b", type="t", lane="unknown", demand="", points=0,
        boost_ms=0, spec="", payload="", timeout_ms=1, attempts_max=1, run_at=0, deadline=0, waiting_ms=0, weight=1,
        shy="0", gang=1, once="0", facets="", by_server="0", needs="", model="", loads="", rule="create",
        rate_key="a/b", rate_limit=5, idem_key="", idem_digest="", idem_ttl_ms=0, gateway="g", waiter="0",
    )  # fmt: skip
    assert reply.tag == "lane_unknown"
    assert await redis_factory.dump(scene.store.client, scene.namespace) == before


async def test_a_repeated_report_with_metrics_is_one_point(scene: Scene) -> None:
    runner, by = scene.store.tasks._run, scene.by("running")  # type: ignore[attr-defined]

    async def report(report_id: str) -> None:
        await runner.call(
            "progress", task_id="running", by="attempt", fence=by.fence, nonce=by.nonce, holder="", percent=5.0,
            lease_ms=1_000, metrics=b"{}", checkpoint="c", report_id=report_id,
        )  # fmt: skip

    await report("r1")
    before = await scene.dump()
    await report("r1")
    assert await scene.dump() == before
    await report("r2")
    assert len(await scene.store.tasks.history("running")) == 2
