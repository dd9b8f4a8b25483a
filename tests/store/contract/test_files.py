"""What is known of the files of tasks."""

from typing import Any

import pytest

from dispatcher.domain.errors import (
    AlreadyEnded,
    NotFound,
    QuotaExceeded,
    StaleAttempt,
    TooLarge,
    Unavailable,
    UploadExpired,
)
from dispatcher.domain.file import FileRecord, FileRoom, NewFile
from dispatcher.domain.grant import Grant
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAttempt, ByHolder
from dispatcher.store.options import DAY_MS, StoreOptions
from tests.store.conftest import OpenWorld
from tests.store.world import ORIGIN, OWNER, World, by, done

BOB = Owner("acme", "bob")
KEEP_MS = 1_000
SMALL = StoreOptions(files_max=3, file_bytes_max=50, task_bytes_max=100, tenant_files_max=120)


async def started(world: World, task_id: str = "t1", **changes: Any) -> Grant:
    await world.given_server("s-" + task_id)
    return await world.running(task_id, "s-" + task_id, **changes)


async def reserve(world: World, grant: Grant, path: str = "a", blob: str = "b1") -> FileRoom:
    return await world.store.files.reserve(grant.task_id, by(grant), path, origin=ORIGIN, blob=blob, keep_ms=KEEP_MS)


def new_file(grant: Grant, path: str, blob: str, size: int = 10) -> NewFile:
    return NewFile("f-" + blob, grant.task_id, path, size, "text/plain", "ab" * 32, blob)


async def upload(world: World, grant: Grant, path: str = "a", blob: str = "b1", size: int = 10) -> FileRecord:
    await reserve(world, grant, path, blob)
    return await world.store.files.put(new_file(grant, path, blob, size), by(grant), origin=ORIGIN)


async def paths(world: World, task_id: str = "t1") -> list[str]:
    return [file.path for file in await world.store.files.of_task(task_id)]


async def test_a_file_is_recorded_and_found(world: World) -> None:
    grant = await started(world)
    record = await upload(world, grant, "out/ä.txt")
    assert record == FileRecord(
        "f-b1", "t1", ORIGIN, OWNER, "out/ä.txt", 10, "text/plain", "ab" * 32, "b1", 1, world.now
    )
    assert record.name == "ä.txt"
    assert await world.store.files.get("t1", "out/ä.txt") == record
    assert await world.store.files.get("t1", "out") is None
    assert await world.store.files.of_task("t1") == [record]
    assert await world.store.files.find(ORIGIN, OWNER, offset=0, limit=9) == ([record], 1)
    assert await world.store.files.orphans() == []


async def test_a_lost_answer_changes_nothing(world: World) -> None:
    grant = await started(world)
    record = await upload(world, grant)
    await world.advance(5)
    again = await world.store.files.put(new_file(grant, "a", "b1"), by(grant), origin=ORIGIN)
    assert again == record
    assert await world.store.files.orphans() == []


async def test_the_same_path_is_one_file(world: World) -> None:
    grant = await started(world)
    await upload(world, grant, blob="b1")
    newer = await upload(world, grant, blob="b2")
    assert await world.store.files.of_task("t1") == [newer]
    assert (await world.store.files.find(ORIGIN, OWNER, offset=0, limit=9))[1] == 1
    assert await world.store.files.orphans() == ["b1"]
    await world.store.files.forget(["b1"])
    assert await world.store.files.orphans() == []


async def test_an_upload_that_came_to_nothing_leaves_an_orphan(world: World) -> None:
    grant = await started(world)
    await reserve(world, grant)
    await world.advance(KEEP_MS - 1)
    assert await world.store.files.orphans() == []
    await world.advance(1)
    assert await world.store.files.orphans() == ["b1"]
    await world.store.files.forget(["b1"])
    with pytest.raises(Unavailable):
        await world.store.files.put(new_file(grant, "a", "b1"), by(grant), origin=ORIGIN)
    assert await paths(world) == []


async def test_bytes_that_are_being_swept_are_not_recorded(world: World) -> None:
    grant = await started(world)
    await reserve(world, grant)
    await world.advance(KEEP_MS)
    assert await world.store.files.orphans() == ["b1"]  # some gateway has it in hand
    with pytest.raises(UploadExpired):
        await world.store.files.put(new_file(grant, "a", "b1"), by(grant), origin=ORIGIN)
    assert await paths(world) == []


async def test_files_of_several_tasks_are_swept_at_once(world: World) -> None:
    for n in range(4):
        grant = await started(world, f"t{n}")
        for blob in (f"b{n}0", f"b{n}1"):
            await upload(world, grant, blob, blob)
        await world.end(grant, done())
    await world.advance(8 * DAY_MS)
    await world.tick()
    assert len(await world.store.files.orphans(limit=5)) == 5
    assert len(await world.store.files.orphans(limit=9)) == 8


async def test_only_the_current_attempt_uploads(world: World) -> None:
    grant = await started(world)
    for who in (ByAttempt(1, "forged"), ByHolder("s-t1", 9)):
        with pytest.raises(StaleAttempt):
            await world.store.files.reserve("t1", who, "a", origin=ORIGIN, blob="b", keep_ms=KEEP_MS)
    with pytest.raises(NotFound):
        await world.store.files.reserve("t1", by(grant), "a", origin="jobs", blob="b", keep_ms=KEEP_MS)
    await reserve(world, grant)
    await world.end(grant, done())
    with pytest.raises(AlreadyEnded):
        await world.store.files.put(new_file(grant, "a", "b1"), by(grant), origin=ORIGIN)
    with pytest.raises(AlreadyEnded):
        await reserve(world, grant, "b", "b2")
    assert await paths(world) == []


async def test_room_is_bounded_by_file_task_tenant_and_number(open_world: OpenWorld) -> None:
    world = await open_world(SMALL)
    grant = await started(world)
    assert await reserve(world, grant) == FileRoom(50, 120)
    with pytest.raises(TooLarge):
        await world.store.files.put(new_file(grant, "a", "b1", 51), by(grant), origin=ORIGIN)
    await upload(world, grant, "a", "b1", 50)
    await upload(world, grant, "b", "b2", 20)
    assert (await reserve(world, grant, "c", "b3")).most == 30
    assert (await reserve(world, grant, "a", "b3")).most == 50, "in the place of the old one"
    await upload(world, grant, "c", "b4", 0)
    with pytest.raises(QuotaExceeded):
        await reserve(world, grant, "d", "b5")
    other = await started(world, "t2", owner=BOB)
    assert (await reserve(world, other, "a", "b6")).most == 50
    await upload(world, other, "a", "b6", 30)
    assert (await reserve(world, other, "b", "b7")).most == 20, "what is left to the tenant"
    await upload(world, grant, "b", "b8", 1)
    assert (await reserve(world, other, "b", "b9")).most == 39
    await world.store.files.delete("t1", None, origin=ORIGIN, owner=OWNER)
    await upload(world, other, "b", "b9", 50)
    assert (await reserve(world, other, "c", "b0")).most == 20


async def test_what_a_task_may_not_have_is_too_large_and_what_its_tenant_has_no_room_for_is_over_quota(
    open_world: OpenWorld,
) -> None:
    world = await open_world(SMALL)
    grant, other = await started(world), await started(world, "t2")
    await upload(world, grant, "a", "b1", 50)
    await reserve(world, other, "a", "b2")
    await upload(world, grant, "b", "b3", 45)
    with pytest.raises(TooLarge):
        await world.store.files.put(new_file(grant, "c", "b2", 6), by(grant), origin=ORIGIN)
    with pytest.raises(QuotaExceeded):
        await world.store.files.put(new_file(other, "a", "b2", 26), by(other), origin=ORIGIN)
    await upload(world, other, "a", "b2", 20)
    await upload(world, grant, "b", "b4", 50)
    with pytest.raises(TooLarge):
        await reserve(world, grant, "c", "b5")
    with pytest.raises(QuotaExceeded):
        await reserve(world, other, "b", "b5")


async def test_files_are_deleted_by_their_owner(world: World) -> None:
    grant = await started(world)
    for n in range(70):
        await upload(world, grant, f"p{n:02}", f"b{n:02}")
    for owner, path in ((BOB, "p00"), (BOB, None), (OWNER, "p99")):
        with pytest.raises(NotFound):
            await world.store.files.delete("t1", path, origin=ORIGIN, owner=owner)
    await world.store.files.delete("t1", "p00", origin=ORIGIN, owner=OWNER)
    assert (await paths(world))[:2] == ["p01", "p02"]
    await world.store.files.delete("t1", None, origin=ORIGIN, owner=None)
    assert await paths(world) == []
    orphans = set()
    while found := await world.store.files.orphans(limit=40):
        orphans |= set(found)
        await world.store.files.forget(found)
    assert orphans == {f"b{n:02}" for n in range(70)}


async def test_listings_are_the_owner_s_and_paged(world: World) -> None:
    grant, other = await started(world), await started(world, "t2", owner=BOB)
    for n in range(3):
        await upload(world, grant, f"p{n}", f"b{n}")
        await world.advance(1)
    await upload(world, other, "q", "b9")
    page, total = await world.store.files.find(ORIGIN, OWNER, offset=1, limit=1)
    assert ([file.path for file in page], total) == (["p1"], 3)
    page, total = await world.store.files.find(ORIGIN, None, offset=0, limit=2)
    assert ([file.path for file in page], total) == (["q", "p2"], 4)
    assert await world.store.files.find("jobs", None, offset=0, limit=9) == ([], 0)


async def test_listings_can_be_narrowed_to_a_facet_of_the_tasks(world: World) -> None:
    grants = {
        name: await started(world, name, owner=owner, facets=facets)
        for name, owner, facets in (("t1", OWNER, ("x", "y")), ("t2", OWNER, ("y",)), ("t3", BOB, ("x",)))
    }
    for name, grant in grants.items():
        await upload(world, grant, f"of {name}", f"b-{name}")
        await world.advance(1)

    async def found(owner: Owner | None, facet: str) -> tuple[list[str], int]:
        page, total = await world.store.files.find(ORIGIN, owner, offset=0, limit=9, facet=facet)
        return [file.task_id for file in page], total

    assert await found(OWNER, "x") == (["t1"], 1)
    assert await found(OWNER, "y") == (["t2", "t1"], 2)
    assert await found(None, "x") == (["t3", "t1"], 2)
    assert await found(None, "z") == ([], 0)
    await world.store.files.delete("t1", None, origin=ORIGIN, owner=OWNER)
    assert await found(None, "x") == (["t3"], 1)
    assert await found(OWNER, "y") == (["t2"], 1)


@pytest.mark.parametrize("by_retention", [True, False])
async def test_files_go_with_their_task(world: World, by_retention: bool) -> None:
    grant = await started(world, facets=("x",))
    for n in range(100):
        await upload(world, grant, f"p{n:02}", f"b{n:02}")
    await world.end(grant, done())
    if by_retention:
        await world.advance(8 * DAY_MS)
        await world.tick()
    else:
        await world.store.tasks.delete("t1", origin=ORIGIN, owner=OWNER)
    orphans = set()
    while found := await world.store.files.orphans():
        orphans |= set(found)
        await world.store.files.forget(found)
    assert len(orphans) == 100
    assert await world.store.files.find(ORIGIN, OWNER, offset=0, limit=9) == ([], 0)
    if hasattr(world.store, "client"):
        client, root = world.store.client, world.store.files._run.root  # type: ignore[attr-defined]
        keys = [key.decode().removeprefix(root) async for key in client.scan_iter(f"{root}*")]
        assert [key for key in keys if key.startswith(("file", "tf", "fo", "orphans"))] == []


async def test_a_file_belongs_to_the_api_that_its_task_came_by(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1", origin="other")
    await world.store.files.reserve("t1", by(grant), "a", origin=None, blob="b1", keep_ms=KEEP_MS)
    kept = await world.store.files.put(new_file(grant, "a", "b1"), by(grant), origin=None)
    assert kept.origin == "other"
    assert [file.path for file in (await world.store.files.find("other", OWNER, offset=0, limit=9))[0]] == ["a"]
    assert (await world.store.files.find(ORIGIN, OWNER, offset=0, limit=9))[1] == 0
