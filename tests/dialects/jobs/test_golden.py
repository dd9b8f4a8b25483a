"""The examples of the job queue's document, replayed."""

import pytest

from tests.dialects.golden import check, fill
from tests.dialects.jobs.examples import GOLDEN, given
from tests.dialects.jobs.world import World


def test_every_documented_operation_but_the_metrics_has_an_example(world: World) -> None:
    registered = {operation.id for operation in world.dialect("required").operations}
    named = {"".join(part.title() if place else part for place, part in enumerate(name.split("_"))) for name in GOLDEN}
    assert named == registered - {"metrics"}


@pytest.mark.parametrize("name", GOLDEN)
async def test_the_documented_example(world: World, name: str) -> None:
    golden = GOLDEN[name]
    known = await given(world, golden["given"])
    request, documented = fill(golden["request"], known), fill(golden["answer"], known)
    answer = await world.call(request["method"], request["path"], request["caller"], request["body"], prefix="/jobs")
    assert answer.status_code == golden["status"], answer.text
    assert answer.headers["Content-Type"] == "application/json"
    if documented is not None:
        check(golden, documented, answer.json())
