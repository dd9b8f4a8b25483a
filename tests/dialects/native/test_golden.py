"""The examples of the native API document, replayed. An answer must have every documented field with its type; where
the situation can be made the same, also its value (`exact`). Further fields are allowed."""

from typing import Any

import pytest

from tests.dialects.golden import at, fill
from tests.dialects.native.examples import GOLDEN, given
from tests.dialects.native.world import World

OPERATIONS = {
    "createTask", "getTask", "updateTask", "retryTask", "cancelTask", "pauseTask", "resumeTask", "registerServer",
    "listServers", "serverHeartbeat", "unregisterServer", "setMaintenance", "getServerMetrics", "getTaskStats",
    "getHourlyReport", "getServerStats", "getLoadBalancer", "setLoadBalancerAlgorithm",
}  # fmt: skip


def _same_shape(documented: Any, given: Any, path: str) -> None:
    if isinstance(documented, dict):
        assert isinstance(given, dict), path
        for name, value in documented.items():
            assert name in given, f"{path}.{name} is missing"
            _same_shape(value, given[name], f"{path}.{name}")
    elif isinstance(documented, list):
        assert isinstance(given, list), path
        assert given, path
        _same_shape(documented[0], given[0], f"{path}.0")
    elif isinstance(documented, float):
        assert isinstance(given, int | float), path
    else:
        assert type(given) is type(documented), path


def test_every_documented_operation_has_an_example() -> None:
    named = {"".join(word.title() for word in name.split("_")) for name in GOLDEN}
    assert {operation[0].upper() + operation[1:] for operation in OPERATIONS} <= named


@pytest.mark.parametrize("name", GOLDEN)
async def test_the_documented_example(world: World, name: str) -> None:
    golden = GOLDEN[name]
    known = await given(world, golden["given"])
    request, documented = fill(golden["request"], known), fill(golden["answer"], known)
    answer = await world.call(request["method"], request["path"], request["token"], request["body"])
    assert answer.status_code == golden["status"], answer.text
    assert answer.headers["Content-Type"] == "application/json"
    _same_shape(documented, answer.json(), name)
    for path in golden["exact"]:
        assert at(answer.json(), path) == at(documented, path), path


@pytest.mark.parametrize("name", [name for name in GOLDEN if GOLDEN[name]["request"]["body"] is not None])
async def test_the_documented_request_is_in_the_openapi_document(world: World, name: str) -> None:
    golden = GOLDEN[name]["request"]
    path = golden["path"].replace("{task}", "{id}").replace("{server}", "{id}")
    operation = next(o for o in world.dialect.operations if (o.method, o.path) == (golden["method"], path))
    properties = operation.request.model_json_schema()["properties"]
    assert golden["body"].keys() <= properties.keys()
