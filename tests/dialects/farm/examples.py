"""The examples of the AI Farm document, and the situations that they speak of."""

from pathlib import Path

from tests.dialects.farm.world import NOBODY, Socket, World
from tests.dialects.golden import load_golden

GOLDEN = load_golden(Path(__file__).parent / "golden")
REST = {name: one for name, one in GOLDEN.items() if "request" in one}
SOCKET = {name: one for name, one in GOLDEN.items() if "request" not in one}
ASSIGNED = SOCKET["socket_task_request"]["hear"]["data"]
CONFIG = {name: value for name, value in ASSIGNED["config"].items() if name not in ("rank", "world_size")}
WORK = {"type": ASSIGNED["type"], **CONFIG, "requirements": ASSIGNED["requirements"]}
RESOURCES = REST["get_client"]["answer"]["resources"]


async def given(world: World, socket: Socket, situation: str) -> dict[str, str]:
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
