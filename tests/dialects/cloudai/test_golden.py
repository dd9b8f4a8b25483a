"""The examples of the CloudAI document, replayed at the times that it shows."""

import pytest

from tests.dialects.cloudai.conftest import OpenWorld
from tests.dialects.cloudai.examples import REST, SOCKET, given
from tests.dialects.cloudai.world import World
from tests.dialects.golden import at, fill, same_shape

OURS = {"unregisterWorker", "downloadFile"}  # the one is ours, of the other's answer the document has no example


@pytest.fixture
async def world(open_world: OpenWorld) -> World:
    """At the time at which the worker was registered."""
    return open_world(start_ms=1_699_000_000_000)


def test_every_documented_operation_has_an_example(world: World) -> None:
    registered = {operation.id for operation in world.dialect("required").operations}
    named = {"".join(part.title() if place else part for place, part in enumerate(name.split("_"))) for name in REST}
    assert named == registered - OURS | {"error"}
    assert len(registered) == 19


@pytest.mark.parametrize("name", REST)
async def test_the_documented_request(world: World, name: str) -> None:
    golden = REST[name]
    known = await given(world, golden["given"])
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
    known = await given(world, golden["given"])
    async with world.connected(fill(golden["path"], known)) as socket:
        for documented in fill(golden["hear"], known):
            heard = await socket.hear()
            same_shape(documented, heard, name)
            for path in golden["exact"]:
                assert at(heard, path) == at(documented, path), path
