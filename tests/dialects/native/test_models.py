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
