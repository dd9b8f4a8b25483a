"""What a worker on a socket has beside its tasks: what its machine is, its models, commands; tasks of its kinds."""

import asyncio
import json
from typing import Any

import pytest

from dispatcher.domain.command import CommandState, NewCommand
from dispatcher.domain.errors import Unavailable
from dispatcher.domain.placement import PlacementStatus
from dispatcher.domain.resources import Resources
from tests.dialects.native.sockets import Socket, events
from tests.dialects.native.worker_sockets import a_worker, working
from tests.dialects.native.world import START_MS, World

GB = 1 << 30
HELLO = {"type": "hello", "kinds": ["process", "model"], "commands": ["worker.restart", "model.load"]}


async def heard(socket: Socket) -> None:
    """All that was said before has been taken in."""
    socket.send({"type": "ping"})
    assert await socket.recv() == {"type": "pong"}


async def command(world: World, server_id: str, name: str, verb: str = "worker.restart", **args: Any) -> None:
    deadline = START_MS + 60_000
    await world.services.commands.send(NewCommand(name, server_id, verb, deadline, json.dumps(args)))


async def test_it_offers_what_its_machine_turned_out_to_have(world: World) -> None:
    server_id = await a_worker(world)
    async with working(world, server_id) as socket:
        socket.send({**HELLO, "resources": {"cpu": 2, "memoryMB": 1024}, "maxConcurrent": 5})
        await heard(socket)
        shown = (await world.call("GET", f"/api/servers/{server_id}", "admin")).json()
        assert (shown["kinds"], shown["resources"]) == (["model", "process"], {"cpu": 2, "memoryMB": 1024})
        assert shown["maxConcurrent"] == 5
        socket.send({"type": "hello"})
        await heard(socket)
        again = await world.store.servers.get(server_id)
        assert again.offer.resources == Resources(cpu=2, memory=GB), "what is left out stays"


async def test_the_models_that_it_can_load_are_capabilities(world: World) -> None:
    server_id = await a_worker(world)

    async def capabilities() -> frozenset[str]:
        return (await world.store.servers.get(server_id)).offer.capabilities

    before = await capabilities()
    async with working(world, server_id) as socket:
        for said, expected in (
            ({"loadable": ["a", "b"]}, before | {"model:a", "model:b"}),
            ({}, before | {"model:a", "model:b"}),
            ({"loadable": ["c"]}, before | {"model:c"}),
            ({"loadable": []}, before),
        ):
            socket.send({**HELLO, **said})
            await heard(socket)
            assert await capabilities() == expected


async def test_it_is_given_tasks_of_its_kinds_with_what_they_may_take(world: World) -> None:
    server_id = await a_worker(world)
    async with events(world), working(world, server_id) as socket:
        socket.send({**HELLO, "loadable": ["llama"]})
        await world.create(payload={"other": 1})
        task_id = await world.create(
            kind="model", payload={"model": "llama"}, resources={"cpu": 0.5, "memoryMB": 64}, priority=0
        )
        socket.send({"type": "ready", "slots": 2})
        task = (await socket.recv())["task"]
        assert (task["taskId"], task["kind"]) == (task_id, "model")
        assert task["resources"] == {"cpu": 0.5, "memoryMB": 64}
        shown = (await world.call("GET", f"/api/task/{task_id}")).json()
        assert shown["kind"] == "model"
        stored = (await world.store.tasks.get(task_id))[0]
        assert stored is not None
        assert stored.model == "llama", "a server that has it in memory is preferred"
        await heard(socket)


@pytest.mark.parametrize("kind", ["training", "", 1])
async def test_there_are_no_other_kinds(world: World, kind: object) -> None:
    answer = await world.call("POST", "/api/task", body={"type": "t", "priority": 1, "payload": {}, "kind": kind})
    assert (answer.status_code, answer.json()["field"]) == (400, "kind")


async def test_models_in_its_memory_take_their_room(world: World) -> None:
    server_id = await a_worker(world)
    async with working(world, server_id) as socket:
        socket.send({**HELLO, "resources": {"memoryMB": 8192}})
        told = {"model": "llama", "memory": 2 * GB, "loadTime": 900}
        socket.send({"type": "heartbeat", "models": [told]})
        assert await socket.recv() == {"type": "pong"}
        (placed,) = await world.store.placements.find([server_id])
        assert (placed.status, placed.takes, placed.load_ms) == (PlacementStatus.LOADED, Resources(memory=2 * GB), 900)
        socket.send({"type": "heartbeat"})
        assert await socket.recv() == {"type": "pong"}
        assert len(await world.store.placements.find([server_id])) == 1, "nothing was said of them"
        socket.send({"type": "heartbeat", "models": []})
        assert await socket.recv() == {"type": "pong"}
        assert await world.store.placements.find([server_id]) == []


async def test_it_is_told_that_its_hello_was_refused(world: World) -> None:
    server_id = await a_worker(world)
    async with working(world, server_id) as socket:
        socket.send({**HELLO, "resources": {"memoryMB": 0}})
        told = await socket.recv()
        assert (told["type"], told["about"], told["field"]) == ("error", "hello", "resources.memoryMB")


async def test_one_that_does_not_fit_is_unloaded_as_soon_as_it_is_not_in_use(world: World) -> None:
    server_id = await a_worker(world)
    async with events(world), working(world, server_id) as socket:
        socket.send({**HELLO, "commands": ["model.unload"], "resources": {"memoryMB": 1024}})
        for _ in range(2):
            socket.send({"type": "heartbeat", "models": [{"model": "llama", "memory": 2 * GB}]})
            said = [await socket.recv() for _ in range(2)]
            (told,) = [message for message in said if message["type"] == "command"]
            assert (told["verb"], told["args"]["model"]) == ("model.unload", "llama")
            socket.send({"type": "commandFailed", "id": told["id"], "error": "in use"})
            assert (await socket.recv())["type"] == "commandRecorded"
        assert (await world.store.servers.get(server_id)).allocated == Resources(memory=GB), "all that there is"
        socket.send({"type": "heartbeat", "models": []})
        await heard(socket)
        assert (await world.store.servers.get(server_id)).allocated == Resources()


async def test_commands_come_down_and_their_ends_are_recorded(world: World) -> None:
    server_id = await a_worker(world)
    await command(world, server_id, "op_1-0", drain_s=3)
    async with events(world), working(world, server_id) as socket:
        socket.send(HELLO)
        sent = await socket.recv()
        assert sent == {"type": "command", "id": "op_1-0", "verb": "worker.restart", "args": {"drain_s": 3}}
        socket.send({"type": "commandAck", "id": "op_1-0"})
        await heard(socket)
        assert (await world.store.commands.get("op_1-0")).state is CommandState.ACKED
        socket.send({"type": "commandDone", "id": "op_1-0", "detail": {"memory_bytes": 5}})
        assert await socket.recv() == {"type": "commandRecorded", "id": "op_1-0"}
        done = await world.store.commands.get("op_1-0")
        assert (done.state, done.detail) == (CommandState.DONE, '{"memory_bytes": 5}')
        await command(world, server_id, "op_2-0", "model.load", model="m")
        assert (await socket.recv())["id"] == "op_2-0"
        socket.send({"type": "commandFailed", "id": "op_2-0", "error": "no such file"})
        assert (await socket.recv())["type"] == "commandRecorded"
        failed = await world.store.commands.get("op_2-0")
        assert (failed.state, failed.detail) == (CommandState.FAILED, "no such file")
        socket.send({"type": "commandDone", "id": "op_none-0"})
        assert await socket.recv() == {"type": "commandRecorded", "id": "op_none-0", "code": "NOT_FOUND"}
        socket.send({"type": "commandAck", "id": "op_none-0"})
        assert (await socket.recv())["type"] == "error"


@pytest.mark.parametrize("error", [Unavailable("The store is away"), TimeoutError()])
async def test_a_refusal_that_cannot_be_recorded_ends_no_connection(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    server_id = await a_worker(world)
    await command(world, server_id, "op_1-0")
    async with events(world), working(world, server_id) as socket:
        tried = asyncio.Event()

        async def away(*_: object) -> None:
            tried.set()
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(world.services.commands, "report", away)
            socket.send({"type": "hello", "commands": ["model.load"]})
            async with asyncio.timeout(5):
                await tried.wait()
            await world.settle()
        await command(world, server_id, "op_2-0", "model.load", model="m")
        assert (await socket.recv())["id"] == "op_2-0"


@pytest.mark.parametrize("first", [{"type": "heartbeat"}, {"type": "hello", "commands": ["model.load"]}])
async def test_what_it_does_not_obey_is_failed_in_its_place(world: World, first: dict[str, Any]) -> None:
    server_id = await a_worker(world)
    await command(world, server_id, "op_1-0")
    async with working(world, server_id) as socket:
        socket.send(first)
        if first["type"] == "heartbeat":
            assert await socket.recv() == {"type": "pong"}
        await heard(socket)
        await world.settle()
        refused = await world.store.commands.get("op_1-0")
        assert (refused.state, refused.detail) == (CommandState.FAILED, "This worker does not obey worker.restart")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "hello", "kinds": []}, {"type": "hello", "kinds": ["training"]}, {"type": "hello", "maxConcurrent": 0},
        {"type": "hello", "resources": {"cpu": -1}}, {"type": "hello", "commands": "all"},
        {"type": "hello", "loadable": ["m"] * 257}, {"type": "hello", "loadable": [""]},
        {"type": "heartbeat", "models": [{"model": "a", "memory": ""}]},
        {"type": "commandDone"}, {"type": "commandDone", "id": "a/b"}, {"type": "commandAck", "id": 1},
    ],
)  # fmt: skip
async def test_a_wrong_message_changes_nothing(world: World, message: dict[str, Any]) -> None:
    server_id = await a_worker(world)
    before = await world.store.servers.get(server_id)
    async with working(world, server_id) as socket:
        socket.send(message)
        assert (await socket.recv())["code"] in ("INVALID_REQUEST", "NOT_FOUND")
        assert (await world.store.servers.get(server_id)).offer == before.offer


async def test_a_server_registers_with_its_kinds(world: World) -> None:
    server_id = await world.register(kinds=["docker", "predict"])
    shown = (await world.call("GET", f"/api/servers/{server_id}", "admin")).json()
    assert shown["kinds"] == ["docker", "predict"]
    plain = (await world.call("GET", f"/api/servers/{await world.register()}", "admin")).json()
    assert "kinds" not in plain
