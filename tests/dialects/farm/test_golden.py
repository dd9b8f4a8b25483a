"""The examples of the AI Farm document, replayed."""

import pytest

from tests.dialects.farm.examples import REST, SOCKET, given
from tests.dialects.farm.world import World
from tests.dialects.golden import check, fill


def test_every_documented_operation_has_an_example(world: World) -> None:
    registered = {operation.id for operation in world.dialect("required").operations}
    named = {"".join(part.title() if place else part for place, part in enumerate(name.split("_"))) for name in REST}
    assert named == registered | {"error"}


@pytest.mark.parametrize("name", REST)
async def test_the_documented_request(world: World, name: str) -> None:
    golden = REST[name]
    async with world.connected() as socket:
        known = await given(world, socket, golden["given"])
        asked, documented = fill(golden["request"], known), fill(golden["answer"], known)
        answer = await world.call(asked["method"], asked["path"], asked["caller"], asked["body"], prefix="/farm")
    assert answer.status_code == golden["status"], answer.text
    assert answer.headers["X-API-Version"] == "1.0"
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(answer.headers)
    if documented is None:
        assert answer.content == b""
        return
    assert answer.headers["Content-Type"] == "application/json"
    check(golden, documented, answer.json())


@pytest.mark.parametrize("name", SOCKET)
async def test_the_documented_message(world: World, name: str) -> None:
    golden = SOCKET[name]
    async with world.events(), world.connected() as socket:
        known = await given(world, socket, golden["given"])
        if golden["say"] is not None:
            socket.send(fill(golden["say"], known))
        if golden["hear"] is not None:
            check(golden, fill(golden["hear"], known), await socket.hear())
        await world.settle()
        assert socket.silent
        if "then" in golden:
            task = await world.task(known["task_uuid"])
            assert {member: task[member] for member in golden["then"]} == golden["then"]
