"""A door without tokens leads into its dialect and nowhere else: neither to what others have there and elsewhere on
workers, nor with the token of a worker that was registered through it."""

from typing import Any

import httpx
import pytest

from dispatcher.dialects.operation import Operation
from tests.dialects.open_doors.world import DOORS, NAME, REFUSED, Foreign, World
from tests.dialects.sockets import Denied


def _named(body: Any, ids: list[str]) -> Any:
    """A documented body that names these in the place of what it names."""
    if not isinstance(body, dict):
        return body
    lists = {name: ids for name in ("worker_ids", "job_ids") if name in body}
    return body | lists | {name: NAME for name in ("executor_id", "worker_id") if name in body}


async def _ask(client: httpx.AsyncClient, operation: Operation, thing: str, ids: list[str], **more: Any) -> int:
    path = operation.path.replace("{id}", thing).replace("{path:path}", "out.txt")
    body = operation.example.request if operation.example is not None else None
    sent: dict[str, Any] = {"json": _named(body, ids)} if body is not None else {}
    if operation.accepts:
        sent = {"content": b"x"}
    query = {"user_id": "a"} if "files" in path and "/api/task/" not in path else {}
    async with client.stream(operation.method, path, params=query, **sent, **more) as answer:
        return answer.status_code


@pytest.mark.parametrize("name", DOORS)
async def test_nobody_without_a_token_touches_what_is_elsewhere(world: World, foreign: Foreign, name: str) -> None:
    """Workers are those of the whole fleet where a document shows them: they may be looked at."""
    before = await foreign.now()
    ids = [task for dialect, tasks in foreign.tasks.items() if dialect != name for task in tasks]
    for operation in world.gateway.dialects[name, "none"].operations:
        for thing in (*ids, *foreign.servers) if "{id}" in operation.path else ("",):
            status = await _ask(world.doors[name], operation, thing, [thing] if thing else foreign.servers)
            if thing and not (operation.method == "GET" and thing in foreign.servers):
                assert status in REFUSED, (operation.id, thing)
        assert await foreign.now() == before, operation.id


async def test_the_token_of_a_worker_that_came_through_a_door_is_good_for_its_work_alone(
    world: World, foreign: Foreign
) -> None:
    before, worker = await foreign.now(), await world.register()
    assert worker["server_id"] not in foreign.servers, "one of the same name was registered with a token"
    bearer = {"headers": {"Authorization": f"Bearer {worker['server_token']}"}}
    for (name, auth), dialect in world.gateway.dialects.items():
        tasks, own = foreign.tasks[name], "own_server"
        for operation in dialect.operations:
            if auth == "none" or operation.access.public or name == "cloudai":
                continue
            mounted = httpx.AsyncClient(transport=world.http._transport, base_url=f"http://gateway{dialect.prefix}")
            for thing in (*tasks, *foreign.servers) if "{id}" in operation.path else ("",):
                status = await _ask(mounted, operation, thing, foreign.servers, **bearer)
                assert status in REFUSED, (name, operation.id, thing)
            if getattr(operation.access, own) and operation.method == "GET":
                assert await _ask(mounted, operation, worker["server_id"], [], **bearer) == 200
    assert await foreign.now() == before
    token = bearer["headers"]["Authorization"]
    with pytest.raises(Denied):
        await world.socket(world.gateway.asgi, "/cluster/ws", authorization=token).opened()
    socket = world.socket(world.gateway.asgi, "/ws", authorization=token)
    await socket.opened()
    assert [message["code"] async for message in socket] == ["FORBIDDEN"]
