"""The examples of the CloudAI document, replayed at the times that it shows."""

from pathlib import Path

import pytest

from dispatcher.domain.failure import Verdict
from tests.dialects.cloudai.conftest import OpenWorld
from tests.dialects.cloudai.world import NOBODY, START_MS, World
from tests.dialects.golden import at, fill, load_golden, same_shape

GOLDEN = load_golden(Path(__file__).parent / "golden")
REST = {name: one for name, one in GOLDEN.items() if "request" in one}
SOCKET = {name: one for name, one in GOLDEN.items() if "request" not in one}
WORK = REST["create_task"]["request"]["body"]
HALF = {"cpu_required": 1, "memory_required": 2, "storage_required": 5}  # two of them take what the document shows
OURS = {"unregisterWorker", "downloadFile"}  # the one is ours, of the other's answer the document has no example


@pytest.fixture
async def world(open_world: OpenWorld) -> World:
    """At the time at which the worker was registered."""
    return open_world(start_ms=1_699_000_000_000)


def _clock(world: World, seconds: int) -> None:
    """Let it be so many seconds after the beginning."""
    world.clock.advance(START_MS + seconds * 1000 - world.clock.now_ms())


async def _given(world: World, situation: str) -> dict[str, str]:
    """Brings the situation about; answers what the placeholders stand for."""
    if situation == "nothing":
        return {}
    await world.ready()
    await world.later(40_000)
    _clock(world, 0)
    await world.beat()
    if situation == "an idle worker":
        return {}
    if situation == "two running tasks":
        for _ in range(2):
            await world.running(**HALF)
        return {}
    task_id = (await world.call("POST", "/tasks", "a", WORK)).json()["task_id"]
    _clock(world, 20)
    grant = await world.claim()
    assert grant is not None
    if situation == "a completed task":
        await world.say(grant, *REST["get_task_logs"]["answer"]["logs"].splitlines())
        await world.upload(grant, "results/output.txt")
    if situation in ("a completed task", "a failed task"):
        _clock(world, 100)
        await world.end(grant, Verdict.COMPLETED if situation == "a completed task" else Verdict.FAILED)
    return {NOBODY: task_id}


def test_every_documented_operation_has_an_example(world: World) -> None:
    registered = {operation.id for operation in world.dialect("required").operations}
    named = {"".join(part.title() if place else part for place, part in enumerate(name.split("_"))) for name in REST}
    assert named == registered - OURS | {"error"}
    assert len(registered) == 19


@pytest.mark.parametrize("name", REST)
async def test_the_documented_request(world: World, name: str) -> None:
    golden = REST[name]
    known = await _given(world, golden["given"])
    asked, documented = fill(golden["request"], known), fill(golden["answer"], known)
    answer = await world.call(asked["method"], asked["path"], asked["caller"], asked["body"], prefix="/cloudai")
    assert answer.status_code == golden["status"], answer.text
    assert answer.headers["Content-Type"] == "application/json"
    same_shape(documented, answer.json(), name)
    for path in golden["exact"]:
        assert at(answer.json(), path) == at(documented, path), path


@pytest.mark.parametrize("name", SOCKET)
async def test_the_documented_messages(world: World, name: str) -> None:
    golden = SOCKET[name]
    known = await _given(world, golden["given"])
    async with world.connected(fill(golden["path"], known)) as socket:
        for documented in fill(golden["hear"], known):
            heard = await socket.hear()
            same_shape(documented, heard, name)
            for path in golden["exact"]:
                assert at(heard, path) == at(documented, path), path
