"""The examples of the native API document, and the situations that they speak of."""

from pathlib import Path
from typing import Any

from tests.dialects.golden import load_golden

GOLDEN = load_golden(Path(__file__).parent / "golden")


async def given(world: Any, situation: str) -> dict[str, str]:
    """Brings the situation about; answers what the placeholders stand for."""
    if situation == "nothing":
        return {}
    if situation in ("a waiting task", "a paused task"):
        task_id = await world.create(group="nowhere")
        if situation == "a paused task":
            await world.call("POST", f"/api/task/{task_id}/pause")
        return {"{task}": task_id}
    server_id = await world.register(priority=2, groups=["production", "gpu"])
    tasks = [await world.create() for _ in range(6 if situation == "six running tasks" else 1)]
    found = {"{server}": server_id, "{task}": tasks[0], "{callback}": world.backend.callback(tasks[0])}
    world.clock.advance(10_000)
    if situation == "a failed task":
        await world.report(tasks[0], status="FAILED", error="x")
    else:
        await world.report(tasks[0], status="PROCESSING", progress=45)
    return found
