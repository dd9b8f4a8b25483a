"""API keys: kept with the digest of their secret, found by id, bounded, forgotten at once."""

import pytest

from dispatcher.domain.apikey import KEYS_MOST, ApiKey
from dispatcher.domain.errors import TooMany
from dispatcher.domain.principal import Owner, Role
from tests.store.world import World

KEY = ApiKey("id1", Owner("acme", "ann"), Role.ADMIN, 5, "for the nightly run", 9)


async def test_a_key_is_kept_until_it_is_revoked(world: World) -> None:
    keys = world.store.keys
    await keys.put(KEY, "d1")
    await keys.put(KEY, "d2")  # its id again: the first one stays
    assert await keys.get("id1") == (KEY, "d1")
    older = ApiKey("id2", Owner("acme", "bob"), Role.CLIENT, 4)
    await keys.put(older, "d3")
    assert await keys.all() == [older, KEY]
    assert [await keys.revoke("id1") for _ in range(2)] == [True, False]
    assert await keys.get("id1") is None
    assert await keys.all() == [older]


async def test_their_number_is_bounded(world: World) -> None:
    for number in range(KEYS_MOST):
        await world.store.keys.put(ApiKey(f"k{number}", KEY.owner, KEY.role, 1), "d")
    with pytest.raises(TooMany):
        await world.store.keys.put(KEY, "d")
    await world.store.keys.put(ApiKey("k7", KEY.owner, KEY.role, 1), "d")  # a repeated call
    assert await world.store.keys.get("id1") is None
