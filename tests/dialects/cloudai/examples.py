"""The examples of the CloudAI document, and the situations that they speak of."""

from pathlib import Path

from dispatcher.domain.failure import Verdict
from tests.dialects.cloudai.world import NOBODY, World
from tests.dialects.golden import load_golden

GOLDEN = load_golden(Path(__file__).parent / "golden")
REST = {name: one for name, one in GOLDEN.items() if "request" in one}
SOCKET = {name: one for name, one in GOLDEN.items() if "request" not in one}
WORK = REST["create_task"]["request"]["body"]
HALF = {"cpu_required": 1, "memory_required": 2, "storage_required": 5}  # two of them take what the document shows


async def given(world: World, situation: str) -> dict[str, str]:
    """Brings the situation about; answers what the placeholders stand for."""
    if situation == "nothing":
        return {}
    await world.ready()
    await world.later(40_000)
    world.at(0)
    await world.beat()
    if situation == "an idle worker":
        return {}
    if situation == "two running tasks":
        for _ in range(2):
            await world.running(**HALF)
        return {}
    task_id = (await world.call("POST", "/tasks", "a", WORK)).json()["task_id"]
    world.at(20)
    grant = await world.claim()
    assert grant is not None
    if situation == "a completed task":
        await world.say(grant, *REST["get_task_logs"]["answer"]["logs"].splitlines())
        await world.upload(grant, "results/output.txt")
    if situation in ("a completed task", "a failed task"):
        world.at(100)
        await world.end(grant, Verdict.COMPLETED if situation == "a completed task" else Verdict.FAILED)
    return {NOBODY: task_id}
