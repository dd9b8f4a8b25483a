"""OpenAPI of the farm, and the page that shows it."""

from tests.dialects.farm.conftest import OpenWorld
from tests.dialects.farm.world import CLIENT, World
from tests.dialects.openapi import check_answer, check_document, check_examples


async def test_the_document_describes_every_operation(world: World) -> None:
    answer = await world.call("GET", "/openapi.json", None, prefix="/farm")
    document = answer.json()
    check_document(document, world.dialect("required").operations)
    assert document["servers"] == [{"url": "/farm"}]
    for kind in (
        "task_request",
        "task_progress",
        "task_result",
        "heartbeat",
        "control",
        "task_result_ack",
        "Client-ID",
    ):
        assert f"`{kind}`" in document["info"]["description"], "the WebSocket is told in words"


async def test_errors_are_in_the_words_of_the_document(world: World) -> None:
    document = (await world.call("GET", "/openapi.json", None, prefix="/farm")).json()
    update = document["paths"]["/api/tasks/{id}/status"]["put"]["responses"]
    assert (update["409"]["description"], update["503"]["description"]) == ("CONFLICT", "SERVICE_UNAVAILABLE")


async def test_examples_match_their_schemas(world: World) -> None:
    check_examples(world.dialect("required").operations)


async def test_answers_are_what_the_schemas_say(world: World) -> None:
    async with world.connected() as socket:
        task_id = await world.given(socket)
        await world.reported(socket, task_id, 10, metrics={"loss": 1.0})
        for operation in world.dialect("required").operations:
            if operation.method == "GET":
                found = CLIENT if "/clients/" in operation.path else task_id
                path = operation.path.replace("{id}", found)
                answer = await world.call("GET", f"{path}?history=5", prefix="/farm")
                check_answer(operation, answer.json())
                told = {header.name.lower() for header in operation.answer_headers}
                assert told <= set(answer.headers), operation.id


async def test_the_page_is_there_on_the_port_of_its_own(open_world: OpenWorld) -> None:
    world = open_world(listeners=[{"dialect": "farm", "port": 8765}])
    http = world.listener(0)
    assert (await http.get("/openapi.json")).json()["servers"] == [{"url": "/"}]
    for path in ("/docs", "/docs/docs.js", "/docs/docs.css", "/docs/icon.svg"):
        page = await http.get(path)
        assert (page.status_code, page.headers["X-API-Version"]) == (200, "1.0")


async def test_the_pages_can_be_switched_off(open_world: OpenWorld) -> None:
    world = open_world(server={"docs": False})
    for path in ("/docs", "/openapi.json"):
        refused = await world.call("GET", path, None, prefix="/farm")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "NOT_FOUND")
