import pytest

from dispatcher.auth.apikeys import ApiKeys
from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import Unauthorized
from dispatcher.domain.principal import Owner, Role
from dispatcher.store.memory.apikeys import MemoryKeys

ANN = Owner("acme", "ann")


async def test_a_key_is_its_holder_until_it_ends_or_is_revoked(clock: ManualClock) -> None:
    store = MemoryKeys()
    keys = ApiKeys(store, clock)
    key, text = await keys.create(ANN, Role.ADMIN, name="x", ttl_ms=1_000)
    caller = await keys.principal(text)
    assert (caller.owner, caller.roles, caller.expires_ms) == (ANN, {Role.ADMIN}, clock.now_ms() + 1_000)
    clock.advance(1_000)
    with pytest.raises(Unauthorized):
        await keys.principal(text)
    forever, text = await keys.create(ANN, Role.CLIENT)
    clock.advance(10**12)
    assert (await keys.principal(text)).expires_ms == 0
    await store.revoke(forever.id)
    with pytest.raises(Unauthorized):
        await keys.principal(text)
    assert [await keys.holds(one.id) for one in (key, forever)] == [True, False]


async def test_only_a_hash_is_kept(clock: ManualClock) -> None:
    store = MemoryKeys()
    key, text = await ApiKeys(store, clock).create(ANN, Role.CLIENT)
    secret = text.rpartition("_")[2]
    kept = await store.get(key.id)
    assert secret not in repr(kept)
    assert secret not in repr(key)


async def test_two_keys_of_one_owner_are_counted_apart(clock: ManualClock) -> None:
    keys = ApiKeys(MemoryKeys(), clock)
    callers = [await keys.principal((await keys.create(ANN, Role.CLIENT))[1]) for _ in range(2)]
    assert len({caller.rate_key for caller in callers}) == 2
    assert all(caller.rate_key.startswith("acme/ann/") for caller in callers)


async def test_a_wrong_secret_is_refused(clock: ManualClock) -> None:
    keys = ApiKeys(MemoryKeys(), clock)
    (_, one), (_, two) = [await keys.create(ANN, Role.CLIENT) for _ in range(2)]
    mixed = f"{one.rpartition('_')[0]}_{two.rpartition('_')[2]}"
    with pytest.raises(Unauthorized):
        await keys.principal(mixed)
