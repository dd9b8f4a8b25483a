"""Which servers are given a task that names a model."""

import pytest

from tests.dialects.native.test_claims import PULL, claim
from tests.dialects.native.world import CREATE, World

LLAMA = {"kind": "model", "payload": {"model": "llama"}}


async def test_a_task_of_the_kind_model_goes_only_where_its_model_can_be_loaded(world: World) -> None:
    other = await world.register(**PULL, kinds=["model"], capabilities=["model:other"])
    task_id = await world.create(**LLAMA)
    assert (await claim(world, other)).status_code == 204, "it waits for one that has the model"
    longest = "m" * 128
    having = await world.register(**PULL, kinds=["model"], capabilities=["model:llama", f"model:{longest}"])
    given = (await claim(world, having)).json()
    assert (given["taskId"], given["capabilities"]) == (task_id, []), "shown as it was asked for"
    second = await world.create(kind="model", payload={"model": longest}, capabilities=["model:llama"])
    assert (await claim(world, having)).json()["taskId"] == second


@pytest.mark.parametrize("model", [None, "", 7, ["llama"], "m" * 129, "a\nb", "\ud800"])
async def test_it_names_a_model(world: World, model: object) -> None:
    answer = await world.call("POST", "/api/task", body={**CREATE, "kind": "model", "payload": {"model": model}})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    if model != "\ud800":  # that is no text, whatever it names
        assert answer.json()["field"] == "payload.model"
    assert (await world.call("GET", "/api/tasks")).json()["total"] == 0
    assert (await world.call("POST", "/api/task", body={**CREATE, "payload": {"model": 7}})).status_code == 200


@pytest.mark.parametrize("word", ["x" * 65, "model:" + "m" * 129, "model:a\nb"])
async def test_long_capabilities_are_those_of_models(world: World, word: str) -> None:
    body = {"name": "x", **PULL, "kinds": ["model"], "capabilities": [word]}
    answer = await world.call("POST", "/api/servers", "admin", body)
    assert (answer.status_code, answer.json()["field"]) == (400, "capabilities.0")


GB = 1 << 30


async def beat(world: World, server_id: str, *models: str, memory: int = 0) -> None:
    told = [{"model": model, "memory": memory} for model in models]
    answer = await world.call("POST", f"/api/servers/{server_id}/heartbeat", f"server-{server_id}", {"models": told})
    assert (answer.status_code, answer.json()["status"]) == (200, "online")


async def push(world: World, n: int, **more: object) -> str:
    endpoints = {"predict": f"https://server{n}.example.com/predict"}
    server_id = await world.register(endpoints=endpoints, maxConcurrent=2, **more)
    world.tokens.server(server_id)
    return server_id


async def test_tasks_go_first_to_the_called_server_that_says_it_has_their_model(world: World) -> None:
    servers = [await push(world, n) for n in range(3)]
    warm = servers[1]
    await beat(world, warm, "llama", "other")
    tasks = [await world.create(model="llama") for _ in range(3)]
    on = [world.backend_of(task_id) for task_id in tasks]
    assert on[:2] == [warm, warm], "while it has a free slot"
    assert on[2] != warm, "then to any"
    await world.report(tasks[0], status="COMPLETED", result=1)
    await beat(world, warm, "other")
    shown = (await world.call("GET", "/api/models?model=llama", "admin")).json()["models"]
    assert shown == []
    third = await world.create(model="other")
    assert world.backend_of(third) == warm
    assert (await world.call("GET", f"/api/task/{third}")).json()["model"] == "other"
    await world.report(third, status="COMPLETED", result=1)
    assert {world.backend_of(await world.create()) for _ in range(3)} == set(servers), "without a model: in turn"


async def test_a_model_of_a_task_is_a_preference_of_the_kind_predict(world: World) -> None:
    server_id = await push(world, 1)
    await beat(world, server_id, "other")
    assert world.backend_of(await world.create(model="llama")) == server_id
    for wrong in ({"model": ""}, {"model": "a\nb"}, {"model": "m" * 129}, {"model": "m", "kind": "process"}):
        answer = await world.call("POST", "/api/task", body={**CREATE, **wrong})
        assert (answer.status_code, answer.json()["field"]) == (400, "model")


async def test_what_a_called_server_has_in_memory_is_held_and_one_that_does_not_fit_is_its_own_affair(
    world: World,
) -> None:
    server_id = await push(world, 1, resources={"memoryMB": 8192})
    world.tokens.server(server_id)

    async def allocated() -> int:
        return (await world.store.servers.get(server_id)).allocated.memory

    await beat(world, server_id, "a", memory=5 * GB)
    assert await allocated() == 5 * GB
    await beat(world, server_id, "a", "b", memory=5 * GB)
    assert await allocated() == 8 * GB, "it is there, so nothing else is put there"
    assert await world.store.commands.pending(server_id) == [], "there is nobody to tell"
    await beat(world, server_id, "b", memory=5 * GB)
    assert await allocated() == 5 * GB, "b came into the room of a"
    found = (await world.call("GET", "/api/models", "admin")).json()["models"]
    assert [(one["model"], one["status"]) for one in found] == [("b", "loaded")]
    await beat(world, server_id)
    assert await allocated() == 0
    body = {"model": "a", "servers": [server_id]}
    refused = await world.call("POST", "/api/models/assign", "admin", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "NO_CONTROL_CHANNEL")


async def test_models_that_are_known_cost_no_further_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    server_id = await push(world, 1)
    await beat(world, server_id, "a")
    looked: list[object] = []
    find = world.store.placements.find

    async def counting(server_ids: tuple[str, ...] = (), model: str | None = None) -> object:
        looked.append(server_ids)
        return await find(server_ids, model)

    monkeypatch.setattr(world.store.placements, "find", counting)
    for _ in range(3):
        await beat(world, server_id, "a")
    assert looked == []
    await world.store.placements.unloaded(server_id, "a")  # said to another gateway
    await beat(world, server_id, "a")
    assert len(looked) == 1
    await beat(world, server_id)
    assert len(looked) == 2
    world.clock.advance(60_000)
    await beat(world, server_id)
    assert len(looked) == 3, "once a minute in any case"


@pytest.mark.parametrize(
    ("models", "field"),
    [
        ("x", "models"), ([{}], "models.0.model"), ([{"model": "m", "memory": -1}], "models.0.memory"),
        ([{"model": "m"}] * 65, "models"), ([{"model": "m", "loadTime": "1"}], "models.0.loadTime"),
    ],
)  # fmt: skip
async def test_a_heartbeat_with_what_are_no_models_is_refused(world: World, models: object, field: str) -> None:
    server_id = await push(world, 1)
    answer = await world.call("POST", f"/api/servers/{server_id}/heartbeat", "admin", {"models": models})
    assert (answer.status_code, answer.json()["field"]) == (400, field)
