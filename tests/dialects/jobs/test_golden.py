"""The examples of the job queue's document, replayed. Only hashes that the document elides are written out."""

from pathlib import Path

import pytest

from tests.dialects.golden import at, fill, load_golden, same_shape
from tests.dialects.jobs.world import World

GOLDEN = load_golden(Path(__file__).parent / "golden")
SUBMIT = GOLDEN["submit_job"]["request"]["body"]
CLAIM = GOLDEN["claim_job"]["request"]["body"]
DONE = GOLDEN["complete_job"]["request"]["body"]
SHOWN = {name: GOLDEN["get_job"]["answer"][name] for name in ("arguments", "binary_sha256", "env_variables")}


async def _given(world: World, situation: str) -> dict[str, str]:
    """Brings the situation about; answers what the placeholders stand for."""
    if situation == "nothing":
        return {}
    job_id = await world.submit(**{**SUBMIT, **SHOWN})
    world.clock.advance(60_000)
    if situation in ("a running job", "a completed job", "one of each"):
        assert (await world.call("POST", "/jobs/claim", "worker", CLAIM)).status_code == 200
        if situation == "a running job":
            world.clock.advance(30_000)
            assert (await world.tell("heartbeat", job_id)).status_code == 200
        else:
            world.clock.advance(60_000)
            assert (await world.call("PUT", f"/jobs/{job_id}/complete", "worker", DONE)).status_code == 200
    other = await world.submit() if situation in ("two pending jobs", "one of each") else ""
    return {"{job}": job_id, "550e8400-e29b-41d4-a716-446655440000": job_id} | (
        {"660e8400-e29b-41d4-a716-446655440001": other} if other else {}
    )


def test_every_documented_operation_but_the_metrics_has_an_example(world: World) -> None:
    registered = {operation.id for operation in world.dialect("required").operations}
    named = {"".join(part.title() if place else part for place, part in enumerate(name.split("_"))) for name in GOLDEN}
    assert named == registered - {"metrics"}


@pytest.mark.parametrize("name", GOLDEN)
async def test_the_documented_example(world: World, name: str) -> None:
    golden = GOLDEN[name]
    known = await _given(world, golden["given"])
    request, documented = fill(golden["request"], known), fill(golden["answer"], known)
    answer = await world.call(request["method"], request["path"], request["caller"], request["body"], prefix="/jobs")
    assert answer.status_code == golden["status"], answer.text
    assert answer.headers["Content-Type"] == "application/json"
    if documented is not None:
        same_shape(documented, answer.json(), name)
    for path in golden["exact"]:
        assert at(answer.json(), path) == at(documented, path), path
