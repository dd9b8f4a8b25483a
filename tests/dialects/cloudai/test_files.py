"""Files of tasks: listed by user id, downloaded by their path, deleted."""

from pathlib import Path

import pytest

from dispatcher.domain.errors import QuotaExceeded
from tests.dialects.cloudai.conftest import OpenWorld
from tests.dialects.cloudai.world import World

DATA = b"0123456789"


async def with_file(world: World, caller: str = "a", path: str = "results/output.txt", **more: str) -> str:
    task_id, grant = await world.running(caller, **more)
    await world.upload(grant, path, DATA)
    await world.end(grant)
    return task_id


async def listed(world: World, query: str, caller: str = "a") -> list[str]:
    answer = await world.read(f"/files?{query}", caller)
    assert answer["count"] == len(answer["files"])
    return [file["task_id"] for file in answer["files"]]


async def test_a_list_holds_the_callers_files_of_one_user_id(world: World) -> None:
    await world.ready()
    first, second = await with_file(world), await with_file(world, user_id="ann")
    other = await with_file(world, "b", user_id="ann")
    assert await listed(world, "user_id=a") == [first]
    assert await listed(world, "user_id=ann") == [second]
    assert await listed(world, "user_id=ann", "b") == [other]
    assert await listed(world, "user_id=ann", "admin") == [other, second]
    assert await listed(world, "user_id=nobody", "admin") == []
    page = await world.call("GET", "/files?user_id=ann&limit=1&offset=1", "admin")
    assert ([file["task_id"] for file in page.json()["files"]], page.headers["X-Total-Count"]) == ([second], "2")


async def test_who_is_said_to_ask_must_be_the_caller(world: World) -> None:
    await world.ready()
    task_id = await with_file(world)
    assert await listed(world, "user_id=a&requesting_user=a") == [task_id]
    for caller in ("b", "admin"):
        refused = await world.call("GET", "/files?user_id=a&requesting_user=a", caller)
        assert refused.status_code == 404


async def test_without_tokens_everybody_may_ask_for_their_own(open_world: OpenWorld) -> None:
    world = open_world(cloudai={"auth": "none"})
    await world.ready()
    task_id = await with_file(world, user_id="ann")
    assert await listed(world, "user_id=ann") == await listed(world, "user_id=ann&requesting_user=ann") == [task_id]
    assert await listed(world, "user_id=ann&requesting_user=bob") == []
    wrong = await world.call("GET", f"/files/{task_id}?user_id=bob")
    assert wrong.status_code == 404


async def test_the_user_id_is_that_of_the_task(world: World) -> None:
    await world.ready()
    task_id = await with_file(world, user_id="ann")
    for method, path in (("GET", ""), ("GET", "/download/results/output.txt"), ("DELETE", "")):
        for user_id in ("a", "Ann"):
            assert (await world.call(method, f"/files/{task_id}{path}?user_id={user_id}")).status_code == 404
        assert (await world.call(method, f"/files/{task_id}{path}?user_id=ann", "b")).status_code == 404
    assert await listed(world, "user_id=ann") == [task_id]


async def test_a_download(world: World) -> None:
    await world.ready()
    task_id = await with_file(world, path="a b/ä.txt")
    answer = await world.call("GET", f"/files/{task_id}/download/a%20b/%C3%A4.txt?user_id=a")
    assert (answer.status_code, answer.content) == (200, DATA)
    wanted = {
        "content-type": "text/plain", "content-length": "10", "x-content-type-options": "nosniff",
        "content-disposition": "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%A4.txt",
    }  # fmt: skip
    assert {name: answer.headers[name] for name in wanted} == wanted
    part = await world.call("GET", f"/files/{task_id}/download/a%20b/ä.txt?user_id=a", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")


@pytest.mark.parametrize(
    "path", ["nothing", "results/%2e%2e/results/output.txt", "%2e%2e/x", "/etc/passwd", "a%00", "a%ff", "a%0a"]
)
async def test_a_path_is_only_a_name(world: World, path: str) -> None:
    await world.ready()
    task_id = await with_file(world)
    answer = await world.call("GET", f"/files/{task_id}/download/{path}?user_id=a")
    assert answer.status_code in (400, 404)
    assert "error" in answer.json()


async def test_deleted_files_are_gone(world: World) -> None:
    await world.ready()
    task_id = await with_file(world)
    assert (await world.call("DELETE", f"/files/{task_id}?user_id=a")).status_code == 200
    assert await listed(world, "user_id=a") == []
    assert (await world.read(f"/files/{task_id}?user_id=a", "a"))["files"] == []
    assert (await world.call("GET", f"/files/{task_id}/download/results/output.txt?user_id=a")).status_code == 404


async def test_files_have_quotas(open_world: OpenWorld, tmp_path: Path) -> None:
    world = open_world(files={"directory": str(tmp_path), "number": 1})
    await world.ready()
    _, grant = await world.running()
    await world.upload(grant, "a")
    with pytest.raises(QuotaExceeded):
        await world.upload(grant, "b")


async def test_they_can_have_a_place_of_their_own(open_world: OpenWorld, tmp_path: Path) -> None:
    usual, apart = tmp_path / "usual", tmp_path / "apart"
    world = open_world(files={"directory": str(usual)}, cloudai={"files_directory": str(apart)})
    await world.ready()
    task_id = await with_file(world)
    stored = [path for path in apart.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in stored] == [DATA]
    assert not usual.exists()
    answer = await world.call("GET", f"/files/{task_id}/download/results/output.txt?user_id=a")
    assert answer.content == DATA
    await world.call("DELETE", f"/files/{task_id}?user_id=a")
    await world.services.files.sweep()
    assert not stored[0].exists()


async def test_so_it_is_where_an_agent_uploads_without_a_word_of_the_api(open_world: OpenWorld, tmp_path: Path) -> None:
    apart = tmp_path / "apart"
    world = open_world(cloudai={"files_directory": str(apart)})
    world.tokens["agent"] = (await world.register())["server_token"]
    await world.ready()
    task_id, _ = await world.running()
    answer = await world.call("PUT", f"/api/task/{task_id}/files/x", "agent", raw=DATA, prefix="")
    assert answer.status_code == 200, answer.text
    assert [path.read_bytes() for path in apart.rglob("*") if path.is_file()] == [DATA]


async def test_files_of_other_apis_stay_where_they_are(open_world: OpenWorld, tmp_path: Path) -> None:
    world = open_world(cloudai={"files_directory": str(tmp_path / "apart")})
    body = {"name": "w", "transport": "pull"}
    server_id = (await world.call("POST", "/api/servers", "admin", body, prefix="")).json()["serverId"]
    await world.call("POST", "/api/task", "a", {"type": "x", "priority": 1, "payload": {}}, prefix="")
    claim = (await world.call("POST", f"/api/servers/{server_id}/claim", "admin", {}, prefix="")).json()
    path = f"/api/task/{claim['taskId']}/files/x"
    assert (await world.call("PUT", path, "admin", raw=DATA, prefix="")).status_code == 200
    assert not (tmp_path / "apart").exists()
    assert (await world.call("GET", path, "a", prefix="")).content == DATA
