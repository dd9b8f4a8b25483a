"""One task in each situation, on a real engine, and calls that are refused there."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain.command import WAITING_MOST, CommandState, NewCommand
from dispatcher.domain.errors import DispatchError
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.file import NewFile
from dispatcher.domain.grant import Grant
from dispatcher.domain.lane import Offer
from dispatcher.domain.log import LogStream, NewLine
from dispatcher.domain.operation import NewOperation, NewStep, OperationKind, StepState
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAttempt, ByHolder, Reporter
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import NewServer, Transport
from dispatcher.service.ports import IdempotencyKey
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


async def leaves_no_trace(scene: Scene, refused: Refused) -> None:
    """It raises, and the key space is what it was."""
    before = await scene.dump()
    with pytest.raises(DispatchError):
        await refused(scene)
    assert await scene.dump() == before
