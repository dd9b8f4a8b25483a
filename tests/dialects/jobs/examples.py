"""The examples of the job queue's document, and the situations that they speak of. Only hashes that the document elides
are written out."""

from pathlib import Path

from tests.dialects.golden import load_golden
from tests.dialects.jobs.world import World

GOLDEN = load_golden(Path(__file__).parent / "golden")
SUBMIT = GOLDEN["submit_job"]["request"]["body"]
CLAIM = GOLDEN["claim_job"]["request"]["body"]
DONE = GOLDEN["complete_job"]["request"]["body"]
SHOWN = {name: GOLDEN["get_job"]["answer"][name] for name in ("arguments", "binary_sha256", "env_variables")}


async def given(world: World, situation: str) -> dict[str, str]:
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
