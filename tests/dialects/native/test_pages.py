"""OpenAPI, the page that shows it, and the gateway's own paths."""

import re
from typing import Any
from urllib.parse import urljoin

import pytest
from pydantic import TypeAdapter

from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.native.errors import render
from dispatcher.dialects.native.options import NativeOptions
from dispatcher.dialects.operation import Access, Operation
from dispatcher.domain.lane import Offer
from dispatcher.domain.server import Endpoints, NewServer, Transport
from dispatcher.web.rates import Rate
from tests.dialects.native.world import World
from tests.dialects.openapi import refs


async def _document(world: World) -> dict[str, Any]:
    answer = await world.call("GET", "/openapi.json", None)
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


async def test_the_document_describes_every_operation_and_nothing_else(world: World) -> None:
    document = await _document(world)
    assert document["openapi"] == "3.1.0"
    described = {
        (operation["operationId"], method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "x-websocket" not in operation
    }
    assert described == {(o.id, o.method, o.path.replace(":path", "")) for o in world.dialect.operations}
    assert [tag["name"] for tag in document["tags"]][:5] == ["Tasks", "Servers", "Fleet", "Statistics", "Load Balancer"]
    used = {operation["tags"][0] for methods in document["paths"].values() for operation in methods.values()}
    assert used == {tag["name"] for tag in document["tags"]}


async def test_every_reference_resolves(world: World) -> None:
    document = await _document(world)
    found = set(refs(document))
    assert len(found) > 10
    for ref in found:
        at: Any = document
        for key in ref.removeprefix("#/").split("/"):
            at = at[key]
        assert isinstance(at, dict)


async def test_operations_are_complete(world: World) -> None:
    document = await _document(world)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "x-websocket" in operation:
                continue
            names = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert names == set(re.findall(r"{(\w+)}", path))
            assert ("requestBody" in operation) == (method in ("post", "put") and operation["operationId"] not in
                ("retryTask", "cancelTask", "restartServer", "tick"))  # fmt: skip
            assert {"200", "500"} <= operation["responses"].keys()
            secured = operation["operationId"] not in ("health", "ready", "alive")
            assert ({"401", "429"} <= operation["responses"].keys()) == secured == bool(operation["security"])


async def test_examples_match_their_schemas(world: World) -> None:
    for operation in world.dialect.operations:
        assert operation.example is not None, operation.id
        if operation.example.answer is not None:
            TypeAdapter(operation.answer).validate_python(operation.example.answer)
        assert (operation.request is None) == (operation.example.request is None)
        if operation.request is not None:
            operation.request.model_validate(operation.example.request)


async def test_answers_are_what_the_schemas_say(world: World) -> None:
    """Real answers carry no field that the document does not know."""
    server_id = await world.register(groups=["g"])
    task_id = await world.create()
    await world.call("PUT", f"/api/task/{task_id}/files/f", "admin", raw=b"x")
    await world.report(task_id, status="FAILED", error="x")
    agent = NewServer("agent", "native", "agent", Endpoints(), Offer(frozenset({"model"})), transport=Transport.SOCKET)
    await world.store.servers.put(agent)
    begun = await world.services.operations.restart("x/y", "agent")
    await world.services.placements.assign("x/y", "m", ["agent"])
    for operation in world.dialect.operations:
        if operation.method == "GET":
            default = task_id if "/task/" in operation.path else server_id
            path = operation.path.replace("{id}", begun.id if operation.id == "getOperation" else default)
            answer = await world.call("GET", path.replace("{path:path}", "f"), "admin")
            if operation.media != "application/json":
                assert answer.status_code == 200
                continue
            adapter = TypeAdapter(operation.answer)
            known = adapter.dump_python(adapter.validate_python(answer.json()))
            assert known == answer.json(), operation.id


async def test_the_page_needs_nothing_from_elsewhere(world: World) -> None:
    page = await world.call("GET", "/docs", None)
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert page.headers["Content-Type"].startswith("text/html")
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert linked
    for link in linked:
        assert (await world.call("GET", urljoin("/docs", link), None)).status_code == 200
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|style=", page.text)
    for path in ("/docs/docs.js", "/docs/docs.css"):
        text = (await world.call("GET", path, None)).text
        assert "http:" not in text
        assert "https:" not in text
        assert "innerHTML" not in text


async def test_the_pages_can_be_switched_off() -> None:
    world = World(options=NativeOptions(docs=False))
    for path in ("/docs", "/openapi.json", "/docs/docs.js"):
        assert (await world.call("GET", path, None)).status_code == 404
    await world.close()


async def test_health_ready_and_alive(world: World) -> None:
    health = await world.call("GET", "/health", None)
    assert (health.status_code, health.json()["status"], health.json()["version"]) == (200, "ok", "0.1.0")
    assert (await world.call("GET", "/ready", None)).json() == {"ready": True}
    world.draining = True
    assert (await world.call("GET", "/ready", None)).status_code == 503
    assert (await world.call("GET", "/health", None)).json()["draining"] is True
    assert (await world.call("GET", "/livez", None)).status_code == 200


async def test_the_tick_runs_the_duties(world: World) -> None:
    task_id = await world.create(runAt=world.clock.now_ms() + 1000)
    world.clock.advance(1001)
    done = await world.call("POST", "/internal/tick?budget_ms=50", "admin")
    assert done.json()["handled"] == 1
    assert (await world.call("GET", f"/api/task/{task_id}")).json()["state"] == "PENDING"


@pytest.mark.parametrize("access", [Access(), Access(own_server=True), Access(callback=True)])
async def test_an_operation_without_a_policy_fails_the_start(world: World, access: Access) -> None:
    known = world.dialect.operations[0]
    bare = Operation("bare", "GET", "/bare", "x", "x", access, Rate.NONE, known.handler, answer=dict[str, str])
    with pytest.raises(ValueError, match="bare has no access policy"):
        Dialect("x", "", [bare], render=render, gate=world.gate)


async def test_two_operations_in_one_place_fail_the_start(world: World) -> None:
    known = world.dialect.operations[0]
    with pytest.raises(ValueError, match="twice"):
        Dialect("x", "", [known, known], render=render, gate=world.gate)
