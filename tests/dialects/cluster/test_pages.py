"""OpenAPI of the cluster, and the page that shows it."""

from tests.dialects.cluster.world import OpenWorld, World
from tests.dialects.openapi import check_answer, check_document, check_examples

EVENTS = (
    "worker_status_changed",
    "task_completed",
    "task_failed",
    "cluster_rebalance_started",
    "model_loaded",
    "gpu_alert",
)


async def test_the_document_describes_every_operation(world: World) -> None:
    document = (await world.call("GET", "/openapi.json", None)).json()
    check_document(document, world.dialect("required").operations)
    assert document["servers"] == [{"url": "/cluster"}]
    for event in EVENTS:
        assert f"`{event}`" in document["info"]["description"], "the WebSocket is told in words"


async def test_examples_match_their_schemas(world: World) -> None:
    check_examples(world.dialect("required").operations)


async def test_answers_are_what_the_schemas_say(world: World) -> None:
    await world.worker()
    await world.loaded("worker-001", "llama")
    task_id = await world.done(error="no")
    bodies = {
        "submitTask": {"task_type": "t"},
        "assignModel": {"model_name": "llama", "worker_ids": ["worker-001"]},
        "unloadModel": {"model_name": "llama", "worker_ids": ["worker-001"]},
        "rebalanceCluster": {},
    }
    for operation in world.dialect("required").operations:
        if operation.id == "cancelTask":
            task_id = await world.submit()
        found = "worker-001" if "/workers/" in operation.path else task_id
        path = operation.path.replace("{id}", found)
        answer = await world.call(operation.method, path, "admin", bodies.get(operation.id))
        assert answer.status_code == 200, answer.text
        check_answer(operation, answer.json())
        told = {header.name.lower() for header in operation.answer_headers}
        assert told <= set(answer.headers), operation.id


async def test_the_page_is_there_on_the_port_of_its_own(open_world: OpenWorld) -> None:
    world = open_world(listeners=[{"dialect": "cluster", "port": 8000}])
    http = world.listener(0)
    assert (await http.get("/openapi.json")).json()["servers"] == [{"url": "/"}]
    for path in ("/docs", "/docs/docs.js", "/docs/docs.css", "/docs/icon.svg"):
        assert (await http.get(path)).status_code == 200


async def test_the_pages_can_be_switched_off(open_world: OpenWorld) -> None:
    world = open_world(server={"docs": False})
    for path in ("/docs", "/openapi.json"):
        refused = await world.call("GET", path, None)
        assert (refused.status_code, refused.json()["code"]) == (404, 404)
