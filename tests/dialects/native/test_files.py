"""Files over HTTP: uploaded by the attempt, listed, downloaded by parts, deleted."""

import hashlib
from typing import Any

import httpx
import pytest

from dispatcher.domain.errors import TooLarge, Unavailable
from dispatcher.service.files import SWEEP
from dispatcher.store.options import StoreOptions
from tests.dialects.native.world import World

DATA = b"0123456789"


async def running(world: World) -> str:
    await world.register()
    return await world.create()


async def put(world: World, task_id: str, path: str, data: bytes = DATA, **headers: str) -> httpx.Response:
    sent = {"Content-Type": "text/plain", **headers}
    return await world.call(
        "PUT", f"/api/task/{task_id}/files/{path}", world.backend.callback(task_id), raw=data, headers=sent
    )


async def get(world: World, task_id: str, path: str = "a", method: str = "GET", **headers: str) -> httpx.Response:
    return await world.call(method, f"/api/task/{task_id}/files/{path}", headers=headers)


async def test_a_file_goes_there_and_back(world: World) -> None:
    task_id = await running(world)
    answer = await put(world, task_id, "out//%C3%A4%2Fb%20c.txt")
    assert answer.status_code == 200, answer.text
    record = answer.json()
    assert record == {
        "id": record["id"], "taskId": task_id, "path": "out/ä/b c.txt", "size": 10, "contentType": "text/plain",
        "sha256": hashlib.sha256(DATA).hexdigest(), "attempt": 1, "createdAt": world.clock.now_ms(),
    }  # fmt: skip
    listed = await world.call("GET", f"/api/task/{task_id}/files")
    assert listed.json() == {"taskId": task_id, "files": [record]}
    got = await get(world, task_id, "out/ä/b c.txt")
    assert (got.status_code, got.content) == (200, DATA)
    wanted = {
        "content-type": "text/plain", "content-length": "10", "content-disposition": 'attachment; filename="b c.txt"',
        "x-content-type-options": "nosniff", "accept-ranges": "bytes", "etag": f'"{record["sha256"]}"',
    }  # fmt: skip
    assert {name: got.headers[name] for name in wanted} == wanted
    head = await get(world, task_id, "out/ä/b c.txt", "HEAD")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")


async def test_a_part_is_sent(world: World) -> None:
    task_id = await running(world)
    await put(world, task_id, "a")
    part = await get(world, task_id, Range="bytes=2-8")
    assert (part.status_code, part.content) == (206, b"2345678")
    assert (part.headers["content-range"], part.headers["content-length"]) == ("bytes 2-8/10", "7")
    for beyond in ("bytes=10-", f"bytes={'9' * 20}-"):
        none = await get(world, task_id, Range=beyond)
        assert (none.status_code, none.json()["code"]) == (416, "RANGE_NOT_SATISFIABLE")
        assert none.headers["content-range"] == "bytes */10"
    for asked in ("bytes=2-8", "bytes=10-"):
        head = await get(world, task_id, "a", "HEAD", Range=asked)
        assert (head.status_code, head.headers["content-length"]) == (200, "10"), "only GET has parts"
        assert "content-range" not in head.headers


async def test_who_may_upload(world: World) -> None:
    task_id = await running(world)
    server = world.tokens.server(world.backend_of(task_id))
    path = f"/api/task/{task_id}/files/a"
    for token in (server, "admin"):
        assert (await world.call("PUT", path, token, raw=DATA)).status_code == 200
    assert (await world.call("PUT", path, raw=DATA)).status_code == 403
    assert (await world.call("PUT", path, server, raw=DATA, headers={"X-Attempt": "2"})).status_code == 409
    await world.report(task_id, status="COMPLETED")
    late = await put(world, task_id, "b")
    assert (late.status_code, late.json()["code"]) == (409, "COMPLETED")
    assert len(world.blobs.kept) == 2, "one of them to be swept"
    await world.duties.run()
    await world.settle()
    assert list(world.blobs.kept.values()) == [DATA]


@pytest.mark.parametrize(
    "path", ["", "..%2Fa", "a/..%2F..", "%2Fetc", "a%00b", "a%5Cb", "a/", "x" * 1025, "a%ff", "a%0ab", "a%0a"]
)
async def test_bad_names(world: World, path: str) -> None:
    task_id = await running(world)
    for answer in (await put(world, task_id, path), await get(world, task_id, path)):
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert world.blobs.kept == {}


async def test_there_is_only_so_much_room() -> None:
    world = World(store_options=StoreOptions(task_bytes_max=15, files_max=2))
    task_id = await running(world)
    await put(world, task_id, "a")
    assert (await put(world, task_id, "b")).json()["code"] == "PAYLOAD_TOO_LARGE"
    assert (await put(world, task_id, "b", b"12345")).status_code == 200
    full = await put(world, task_id, "c", b"")
    assert (full.status_code, full.json()["code"]) == (429, "QUOTA_EXCEEDED")
    assert len(world.blobs.kept) == 2
    await world.close()


@pytest.mark.parametrize("taken", [4, 20])
async def test_a_tenant_without_room_is_told_so_whatever_is_left(taken: int) -> None:
    world = World(store_options=StoreOptions(tenant_files_max=20))
    task_id = await running(world)
    assert (await put(world, task_id, "a", b"x" * taken)).status_code == 200
    full = await put(world, task_id, "b", b"x" * 17, **{"Transfer-Encoding": "chunked"})
    assert (full.status_code, full.json()["code"]) == (429, "QUOTA_EXCEEDED")
    assert (await put(world, task_id, "a", b"x" * 20)).status_code == 200, "in the place of the old one"
    await world.close()


async def test_what_has_no_room_by_its_announced_length_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store_options=StoreOptions(tenant_files_max=9))
    task_id = await running(world)
    monkeypatch.setattr(world.blobs, "put", None)
    full = await put(world, task_id, "a")
    assert (full.status_code, full.json()["code"]) == (429, "QUOTA_EXCEEDED")
    await world.close()


async def test_deleting(world: World) -> None:
    task_id = await running(world)
    await put(world, task_id, "a")
    path = f"/api/task/{task_id}/files/a"
    assert (await world.call("DELETE", path, "client-b")).status_code == 404
    assert (await world.call("DELETE", path)).json() == {"message": "File deleted", "taskId": task_id, "path": "a"}
    assert (await world.call("DELETE", path)).status_code == 404
    assert (await get(world, task_id)).status_code == 404
    assert (await world.services.files.sweep()) == 1
    assert world.blobs.kept == {}


async def test_files_go_with_their_task(world: World) -> None:
    task_id = await running(world)
    await put(world, task_id, "a")
    await world.report(task_id, status="COMPLETED")
    await world.call("DELETE", f"/api/task/{task_id}")
    assert (await get(world, task_id)).status_code == 404
    await world.duties.run()
    await world.settle()
    assert world.blobs.kept == {}


async def test_a_refused_record_takes_its_bytes_along(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt may end, and the store go away, while the bytes come."""
    task_id = await running(world)
    plain = world.blobs.put

    async def ends_meanwhile(*args: Any, **more: Any) -> Any:
        await world.report(task_id, status="COMPLETED")
        return await plain(*args, **more)

    async def away(*args: Any, **more: Any) -> Any:
        raise Unavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(world.store.files, "put", away)
        assert (await put(world, task_id, "a")).status_code == 503
        assert len(world.blobs.kept) == 1, "it may be recorded"
    monkeypatch.setattr(world.blobs, "put", ends_meanwhile)
    assert (await put(world, task_id, "a")).status_code == 409
    assert len(world.blobs.kept) == 1
    world.clock.advance(86_400_000)
    assert await world.services.files.sweep() == 1, "the other is forgotten"
    assert world.blobs.kept == {}


async def test_an_upload_that_took_too_long_keeps_no_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = await running(world)
    plain = world.blobs.put

    async def slow(*args: Any, **more: Any) -> Any:
        world.clock.advance(86_400_000)
        await world.services.files.sweep()  # nothing is there yet
        return await plain(*args, **more)

    monkeypatch.setattr(world.blobs, "put", slow)
    assert (await put(world, task_id, "a")).status_code == 503
    assert world.blobs.kept == {}


async def test_an_upload_that_breaks_off_is_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = await running(world)

    async def breaks(*_: Any, **__: Any) -> Any:
        raise TooLarge("too large")

    monkeypatch.setattr(world.blobs, "put", breaks)
    assert (await put(world, task_id, "a")).status_code == 413
    world.clock.advance(86_400_000)
    assert await world.services.files.sweep() == 0


async def test_a_sweep_takes_all_that_is_there(world: World) -> None:
    task_id = await running(world)
    for n in range(SWEEP + 1):
        await put(world, task_id, str(n), b"")
    await world.services.files.delete(world.tokens.authenticate("client-a"), task_id, origin="native")
    assert await world.services.files.sweep() == SWEEP + 1
    assert world.blobs.kept == {}


async def test_lists_of_an_owner(world: World) -> None:
    task_id = await running(world)
    await put(world, task_id, "a")
    files, ann, root = world.services.files, world.tokens.authenticate("client-a"), world.tokens.authenticate("admin")
    assert (await files.find(ann, origin="native"))[1] == 1
    assert (await files.find(root, origin="native"))[1] == 0
    assert (await files.find(root, origin="native", everybody=True))[1] == 1
    assert (await files.find(world.tokens.authenticate("client-b"), origin="native", everybody=True))[1] == 0
