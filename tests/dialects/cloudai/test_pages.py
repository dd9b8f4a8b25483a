"""OpenAPI of CloudAI, and the page that shows it."""

import re
from urllib.parse import urljoin

import pytest

from tests.dialects.cloudai.conftest import OpenWorld
from tests.dialects.cloudai.world import WORKER, World
from tests.dialects.openapi import check_answer, check_document, check_examples


async def test_the_document_describes_every_operation(world: World) -> None:
    answer = await world.call("GET", "/openapi.json", None, prefix="/cloudai")
    check_document(answer.json(), world.dialect("required").operations)
    assert answer.json()["servers"] == [{"url": "/cloudai"}]


async def test_examples_match_their_schemas(world: World) -> None:
    check_examples(world.dialect("required").operations)


async def test_answers_are_what_the_schemas_say(world: World) -> None:
    await world.ready()
    task_id, grant = await world.running()
    await world.upload(grant, "x")
    for operation in world.dialect("required").operations:
        if operation.method == "GET" and operation.media == "application/json":
            name = task_id if "/tasks/{id}" in operation.path or "/files/{id}" in operation.path else WORKER
            path = operation.path.replace("{id}", name) + ("?user_id=a" if "files" in operation.path else "")
            answer = await world.call("GET", path, "admin", prefix="/cloudai")
            check_answer(operation, answer.json())


@pytest.mark.parametrize("prefix", ["/cloudai", ""])
async def test_the_page_finds_its_parts_wherever_it_is_mounted(open_world: OpenWorld, prefix: str) -> None:
    world = open_world(listeners=[{"dialect": "cloudai", "port": 8081}])
    http = world.http if prefix else world.listener(0)
    page = await http.get(f"{prefix}/docs")
    links = [urljoin(f"{prefix}/docs", link) for link in re.findall(r'(?:src|href)="([^"]+)"', page.text)]
    assert f"{prefix}/openapi.json" in links
    for link in links:
        assert (await http.get(link)).status_code == 200, link


async def test_the_pages_can_be_switched_off(open_world: OpenWorld) -> None:
    world = open_world(server={"docs": False})
    refused = await world.call("GET", "/docs", None, prefix="/cloudai")
    assert (refused.status_code, refused.json()["code"]) == (404, "NOT_FOUND")
