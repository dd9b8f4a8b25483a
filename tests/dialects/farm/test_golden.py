"""The examples of the AI Farm document, replayed."""

from pathlib import Path

import pytest

from tests.dialects.farm.world import NOBODY, Socket, World
from tests.dialects.golden import at, fill, load_golden, same_shape

GOLDEN = load_golden(Path(__file__).parent / "golden")
REST = {name: one for name, one in GOLDEN.items() if "request" in one}
SOCKET = {name: one for name, one in GOLDEN.items() if "request" not in one}
ASSIGNED = SOCKET["socket_task_request"]["hear"]["data"]
CONFIG = {name: value for name, value in ASSIGNED["config"].items() if name not in ("rank", "world_size")}
WORK = {"type": ASSIGNED["type"], **CONFIG, "requirements": ASSIGNED["requirements"]}
RESOURCES = REST["get_client"]["answer"]["resources"]


async def _given(world: World, socket: Socket, situation: str) -> dict[str, str]:
    """Brings the situation about; answers what the placeholders stand for."""
    if situation == "nothing":
        return {"task_uuid": NOBODY}
    socket.send({**SOCKET["socket_heartbeat"]["say"], "resources": RESOURCES})
    if situation == "a waiting task":
        return {"task_uuid": await world.create(**WORK)}
    task_id = await world.given(socket, **WORK)
    progress = SOCKET["socket_task_progress"]["say"]
    await world.reported(socket, task_id, progress["progress"], metrics=progress["metrics"])
    if situation == "a paused task":
        await world.put(task_id, "paused")
    return {"task_uuid": task_id}


def test_every_documented_operation_has_an_example(world: World) -> None:
    registered = {operation.id for operation in world.dialect("required").operations}
    named = {"".join(part.title() if place else part for place, part in enumerate(name.split("_"))) for name in REST}
    assert named == registered | {"error"}


@pytest.mark.parametrize("name", REST)
async def test_the_documented_request(world: World, name: str) -> None:
    golden = REST[name]
    async with world.connected() as socket:
        known = await _given(world, socket, golden["given"])
        asked, documented = fill(golden["request"], known), fill(golden["answer"], known)
        answer = await world.call(asked["method"], asked["path"], asked["caller"], asked["body"], prefix="/farm")
    assert answer.status_code == golden["status"], answer.text
    assert answer.headers["X-API-Version"] == "1.0"
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(answer.headers)
    if documented is None:
        assert answer.content == b""
        return
    assert answer.headers["Content-Type"] == "application/json"
    same_shape(documented, answer.json(), name)
    for path in golden["exact"]:
        assert at(answer.json(), path) == at(documented, path), path


@pytest.mark.parametrize("name", SOCKET)
async def test_the_documented_message(world: World, name: str) -> None:
    golden = SOCKET[name]
    async with world.events(), world.connected() as socket:
        known = await _given(world, socket, golden["given"])
        if golden["say"] is not None:
            socket.send(fill(golden["say"], known))
        if golden["hear"] is not None:
            documented, heard = fill(golden["hear"], known), await socket.hear()
            same_shape(documented, heard, name)
            for path in golden["exact"]:
                assert at(heard, path) == at(documented, path), path
        await world.settle()
        assert socket.silent
        if "then" in golden:
            task = await world.task(known["task_uuid"])
            assert {member: task[member] for member in golden["then"]} == golden["then"]
