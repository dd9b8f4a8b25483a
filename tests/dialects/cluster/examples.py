"""The examples of the Cluster Manager document, and the situations that they speak of."""

from pathlib import Path
from typing import Any

from dispatcher.domain.server import ServerHealth
from tests.dialects.cluster.world import GB, World
from tests.dialects.golden import load_golden

GOLDEN = load_golden(Path(__file__).parent / "golden")
EVENT = GOLDEN["socket_event"]["hear"]
REST = {name: one for name, one in GOLDEN.items() if "request" in one}
TASK = REST["submit_task"]["request"]["body"]
RESULT = REST["get_task"]["answer"]["result"]
UPTIME_MS = 7 * 86_400_000 + 4 * 3_600_000 + 23 * 60_000


def machine(total: int, used: int, utilization: float) -> dict[str, Any]:
    gpu = {"memory_total": total * GB, "memory_used": used * GB, "utilization": utilization}
    return {"gpu": utilization, "memory": used / total * 100, "gpus": [gpu]}


async def five_workers(world: World) -> None:
    """Four of them can work, one is in maintenance; 12 tasks wait and 8 run."""
    for number in range(5):
        await world.worker(f"worker-{number}", slots=2)
    world.clock.advance(UPTIME_MS)
    for number in range(4):
        await world.beat(f"worker-{number}", machine(10, 7 if number < 2 else 6, 60.0 + number * 11 / 3))
    await world.maintained("worker-4")
    for _ in range(20):
        await world.submit()
    for number in range(8):
        await world.taken(f"worker-{number % 4}")


async def busy_cluster(world: World) -> None:
    """Of five workers one is out of order; the first has two models and two tasks."""
    for number in range(1, 6):
        await world.worker(f"worker-00{number}", slots=4)
    for model, load_ms in (("llama-2-7b", 45_000), ("stable-diffusion-xl", 120_000)):
        await world.loaded("worker-001", model, load_ms=load_ms)
    await world.done(after_ms=0)
    for _ in range(2):
        await world.submit()
        await world.taken()
    await world.beat("worker-005", health=ServerHealth.UNHEALTHY)


async def completed_task(world: World) -> dict[str, str]:
    await world.worker()
    task_id = (await world.post("/tasks", TASK, "a"))["task_id"]
    world.clock.advance(15_000)
    await world.ended(await world.taken(), RESULT)
    return {"task-12345": task_id}


async def two_workers(world: World) -> None:
    """The second one is loading already, a model that takes as long."""
    for name in ("worker-001", "worker-002"):
        await world.worker(name)
    await world.post("/models/assign", {"model_name": "other", "worker_ids": ["worker-002"], "priority": "high"})


async def worker_with_model(world: World) -> None:
    await world.worker()
    await world.loaded("worker-001", "llama-2-7b")


async def uneven_cluster(world: World) -> None:
    """The model that can be moved took two minutes to load."""
    for name, memory in (("worker-001", 10), ("worker-003", 4)):
        await world.worker(name)
        await world.loaded(name, "llama-2-7b", memory)
    await world.loaded("worker-001", "stable-diffusion-xl", 4, 120_000)


async def days_work(world: World) -> None:
    await world.worker(machine=machine(100, 92, 95.2))
    world.clock.advance(60_000)
    await world.beat("worker-001", machine(100, 75, 12.1))
    for error in ("", "", "no"):
        await world.done(after_ms=2_100, error=error)


async def given(world: World, situation: str) -> dict[str, str]:
    """Brings the situation about; answers what the placeholders stand for."""
    match situation:
        case "five workers":
            await five_workers(world)
        case "a busy cluster":
            await busy_cluster(world)
        case "a worker":
            await world.worker()
        case "a waiting task":
            return {"task-12345": await world.submit()}
        case "a completed task":
            return await completed_task(world)
        case "two workers":
            await two_workers(world)
        case "a worker with a model":
            await worker_with_model(world)
        case "an uneven cluster":
            await uneven_cluster(world)
        case "a day's work":
            await days_work(world)
    return {}
