"""What the document tells of the WebSockets."""

from typing import Any

import pytest

from dispatcher.dialects.native.log_socket import LOG_PATH
from dispatcher.dialects.native.worker_socket import WORKER_PATH
from tests.dialects.jobs.world import World as Gateway
from tests.dialects.native.sockets import connected
from tests.dialects.native.worker_sockets import a_worker, working
from tests.dialects.native.world import World


async def told(world: World, path: str) -> dict[str, Any]:
    document = (await world.call("GET", "/openapi.json", None)).json()
    found: dict[str, Any] = document["paths"][path]["get"]
    return found


@pytest.mark.parametrize("path", ["/ws", WORKER_PATH, LOG_PATH])
async def test_a_socket_is_told_in_words_and_as_data(world: World, path: str) -> None:
    operation = await told(world, path)
    assert set(operation["responses"]) == {"101", "426"}
    socket = operation["x-websocket"]
    for word in (*socket["says"], *socket["hears"], *socket["closes"]):
        assert f"- `{word}`" in operation["description"], word
    url = path.replace("{id}", "x")
    assert (await world.call("GET", url)).status_code == 426


async def test_the_messages_that_are_told_are_those_that_are_taken(world: World) -> None:
    says = (await told(world, "/ws"))["x-websocket"]["says"]
    assert set(says) == {"auth", "subscribe", "unsubscribe", "ping"}
    async with connected(world) as socket:
        for kind in says:
            socket.send({"type": kind})
            assert (await socket.recv()).get("details") != "Unknown message type", kind
    says = (await told(world, WORKER_PATH))["x-websocket"]["says"]
    async with working(world, await a_worker(world)) as socket:
        for kind in {*says, "unheard of"} - {"auth"}:  # that comes before the welcome
            socket.send({"type": kind})
        socket.send({"type": "release", "taskId": "the-last", "attempt": 1})
        unknown = 0
        while (message := await socket.recv()).get("taskId") != "the-last":
            unknown += message.get("details") == "Unknown message type"
    assert unknown == 1


async def test_the_other_apis_documents_are_where_the_first_one_says() -> None:
    gateway = Gateway()
    about = (await gateway.call("GET", "/openapi.json", None, prefix="")).json()["info"]["description"]
    pages = [word for word in about.split("`") if word.endswith("/docs")]
    assert len(pages) == 4
    for page in pages:
        for path in (page, page.replace("/docs", "/openapi.json")):
            assert (await gateway.call("GET", path, None, prefix="")).status_code == 200, path
    await gateway.close()
