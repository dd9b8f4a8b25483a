"""A caller's key for a create."""

import pytest

from dispatcher.domain.errors import KeyReused
from dispatcher.domain.principal import Owner
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import IdempotencyKey
from tests.store.world import GATEWAY, ORIGIN, World, done, new_task

KEY = IdempotencyKey("k", "d")


async def test_the_same_key_and_body_is_the_first_task(world: World) -> None:
    await world.given_server("s1")
    first = await world.store.tasks.create(new_task("t1"), gateway=GATEWAY, key=KEY)
    await world.end(await world.start("t1", "s1"), done())
    await world.advance(86_399_999)
    again = await world.store.tasks.create(new_task("t2"), gateway=GATEWAY, key=KEY)
    assert (again.task_id, again.state, again.created_ms) == ("t1", TaskState.COMPLETED, first.created_ms)
    assert (again.replayed, again.candidates) == (True, None)
    assert (await world.store.tasks.get("t2"))[0] is None


async def test_the_same_key_with_another_body_is_refused(world: World) -> None:
    await world.store.tasks.create(new_task("t1"), gateway=GATEWAY, key=KEY)
    with pytest.raises(KeyReused):
        await world.store.tasks.create(new_task("t2"), gateway=GATEWAY, key=IdempotencyKey("k", "other"))


@pytest.mark.parametrize("owner", [Owner("acme", "bob"), Owner("other", "ann")])
async def test_keys_are_per_owner(world: World, owner: Owner) -> None:
    await world.store.tasks.create(new_task("t1"), gateway=GATEWAY, key=KEY)
    other = await world.store.tasks.create(new_task("t2", owner=owner), gateway=GATEWAY, key=KEY)
    assert (other.task_id, other.replayed) == ("t2", False)


async def test_a_deleted_task_frees_its_key(world: World) -> None:
    await world.store.tasks.create(new_task("t1"), gateway=GATEWAY, key=KEY)
    await world.store.tasks.cancel("t1", origin=ORIGIN, owner=None)
    await world.store.tasks.delete("t1", origin=ORIGIN, owner=None)
    assert (await world.store.tasks.create(new_task("t2"), gateway=GATEWAY, key=KEY)).task_id == "t2"


async def test_a_replay_with_a_waiter_hears_of_the_end(world: World) -> None:
    await world.given_server("s1")
    await world.store.tasks.create(new_task("t1"), gateway=GATEWAY, key=KEY)
    async with world.inbox("gw_2") as reader:
        await world.store.tasks.create(new_task("t2"), gateway="gw_2", key=KEY, waiter=True)
        await world.end(await world.start("t1", "s1"), done())
        assert await reader.until(lambda m: (m.kind, m.task_id) == ("ended", "t1"))
