"""OpenAPI of the job queue, and the page that shows it."""

import re
from urllib.parse import urljoin

import pytest

from tests.dialects.jobs.conftest import OpenWorld
from tests.dialects.jobs.world import World
from tests.dialects.openapi import check_answer, check_document, check_examples


@pytest.mark.parametrize("where", ["/jobs", "/jobs/api/v1"])
async def test_the_document_describes_every_operation(world: World, where: str) -> None:
    answer = await world.call("GET", "/openapi.json", None, prefix=where)
    assert answer.headers["Content-Type"] == "application/json"
    check_document(answer.json(), world.dialect("required").operations)
    assert answer.json()["servers"] == [{"url": "/jobs"}]


async def test_examples_match_their_schemas(world: World) -> None:
    check_examples(world.dialect("required").operations)


async def test_answers_are_what_the_schemas_say(world: World) -> None:
    job_id = await world.submit()
    await world.claim()
    for operation in world.dialect("required").operations:
        if operation.method == "GET" and operation.media == "application/json":
            answer = await world.call("GET", operation.path.replace("{id}", job_id), "admin", prefix="/jobs")
            check_answer(operation, answer.json())


async def test_filters_waiting_and_keys_are_parameters(world: World) -> None:
    document = (await world.call("GET", "/openapi.json", None)).json()
    told = {
        operation["operationId"]: {one["name"] for one in operation["parameters"]}
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    assert told["listJobs"] == {"status", "type", "priority", "limit", "offset"}
    assert told["claimJob"] == {"wait", "Prefer"}
    assert told["submitJob"] == {"Idempotency-Key"}
    assert told["completeJob"] == {"id", "X-Attempt"}


@pytest.mark.parametrize("prefix", ["/jobs", ""])
async def test_the_page_finds_its_parts_wherever_it_is_mounted(open_world: OpenWorld, prefix: str) -> None:
    world = open_world(listeners=[{"dialect": "jobs", "port": 8080}])
    http = world.http if prefix else world.listener(0)
    page = await http.get(f"{prefix}/docs")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    links = [urljoin(f"{prefix}/docs", link) for link in re.findall(r'(?:src|href)="([^"]+)"', page.text)]
    assert f"{prefix}/openapi.json" in links
    for link in links:
        assert (await http.get(link)).status_code == 200, link
    document = (await http.get(f"{prefix}/openapi.json")).json()
    assert document["servers"] == [{"url": prefix or "/"}]


async def test_the_pages_can_be_switched_off(open_world: OpenWorld) -> None:
    world = open_world(server={"docs": False})
    for path in ("/docs", "/openapi.json", "/docs/docs.js"):
        refused = await world.call("GET", path, None, prefix="/jobs")
        assert (refused.status_code, refused.json()["code"]) == (404, "NOT_FOUND")
