"""What tasks need and servers have."""

from tests.dialects.native.world import World

HAS = {"cpu": 8, "memoryMB": 16_384, "gpu": 1}
NEEDS = {"cpu": 2.5, "memoryMB": 8_192, "storageMB": None, "gpu": 0.5}
SHOWN = {"cpu": 2.5, "memoryMB": 8_192, "gpu": 0.5}


async def test_a_task_takes_what_it_needs_of_a_server_and_both_show_it(world: World) -> None:
    server_id = await world.register(resources=HAS)
    task_id = await world.create(resources=NEEDS)
    task = (await world.call("GET", f"/api/task/{task_id}")).json()
    assert (task["status"], task["resources"]) == ("PROCESSING", SHOWN)
    server = (await world.call("GET", f"/api/servers/{server_id}", "admin")).json()
    listed = (await world.call("GET", "/api/servers", "admin")).json()["servers"][0]
    metrics = (await world.call("GET", f"/api/servers/{server_id}/metrics", "admin")).json()["metrics"]
    for shown in (server, listed, metrics):
        assert (shown["resources"], shown["allocated"]) == (HAS, SHOWN)


async def test_it_waits_for_room(world: World) -> None:
    await world.register(resources=HAS)
    first = await world.create(resources={"gpuMemoryMB": 1})  # the server has none
    second = await world.create(resources={"cpu": 8})
    third = await world.create(resources={"cpu": 0.001})
    fourth = await world.create()
    states = [
        (await world.call("GET", f"/api/task/{name}")).json()["status"] for name in (first, second, third, fourth)
    ]
    assert states == ["PENDING", "PROCESSING", "PENDING", "PROCESSING"]


async def test_what_is_not_given_is_not_shown(world: World) -> None:
    server_id = await world.register()
    task_id = await world.create()
    task = (await world.call("GET", f"/api/task/{task_id}")).json()
    server = (await world.call("GET", f"/api/servers/{server_id}", "admin")).json()
    assert not {"resources", "allocated"} & (task.keys() | server.keys())
    empty = await world.register(resources={})
    server = (await world.call("GET", f"/api/servers/{empty}", "admin")).json()
    assert (server["resources"], server["allocated"]) == ({}, {})
