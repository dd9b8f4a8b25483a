"""The examples of the Cluster Manager document, replayed."""

import pytest

from tests.dialects.cluster.examples import EVENT, REST, completed_task, given
from tests.dialects.cluster.world import OpenWorld, World
from tests.dialects.golden import check, fill


def test_every_documented_operation_has_an_example(world: World) -> None:
    registered = {operation.id for operation in world.dialect("required").operations}
    named = {"".join(part.title() if place else part for place, part in enumerate(name.split("_"))) for name in REST}
    assert named == registered | {"error"}
    assert len(registered) == 14


@pytest.mark.parametrize("name", REST)
async def test_the_documented_request(open_world: OpenWorld, name: str) -> None:
    world, golden = open_world(cluster={"id": "biting-lip-cluster"}), REST[name]
    known = await given(world, golden["given"])
    asked, documented = fill(golden["request"], known), fill(golden["answer"], known)
    answer = await world.call(asked["method"], asked["path"], asked["caller"], asked["body"])
    assert answer.status_code == golden["status"], answer.text
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(answer.headers)
    assert answer.headers["Content-Type"] == "application/json"
    check(golden, documented, answer.json())


async def test_the_documented_event(world: World) -> None:
    async with world.events(), world.listening() as socket:
        known = await completed_task(world)
        assert await socket.hear() == fill(EVENT, known)
