"""Who may open `/ws`, how many, and how a socket ends."""

import pytest

from dispatcher.dialects.cluster.socket import SEAT_MS, SocketLimits
from dispatcher.domain.principal import Role
from tests.dialects.cluster.watched import Watched
from tests.dialects.cluster.world import OpenWorld, World
from tests.dialects.farm.world import Closed, Denied


@pytest.mark.parametrize("caller", [None, "garbage"])
async def test_without_a_good_key_it_is_closed(world: World, caller: str | None) -> None:
    socket = world.socket(caller)
    await socket.opened()
    with pytest.raises(Closed) as closed:
        await socket.hear()
    assert closed.value.code == 1008


async def test_the_key_may_come_as_a_subprotocol(world: World) -> None:
    await world.key("k", Role.CLIENT)
    socket = world.socket(None, protocols=("bearer", world.tokens["k"]))
    assert (await socket.opened())["subprotocol"] == "bearer"
    await socket.drop()


async def test_the_key_in_the_query_counts_only_where_it_may(open_world: OpenWorld) -> None:
    for allowed in (False, True):
        world = open_world(cluster={"key_in_query": allowed})
        await world.key("k", Role.CLIENT)
        socket = world.socket(None, query=f"api_key={world.tokens['k']}")
        await socket.opened()
        if allowed:
            await socket.drop()
            continue
        with pytest.raises(Closed):
            await socket.hear()


async def test_the_eleventh_socket_is_refused(world: World) -> None:
    sockets = [world.socket() for _ in range(10)]
    for socket in sockets:
        await socket.opened()
    with pytest.raises(Denied) as denied:
        await world.socket().opened()
    assert (denied.value.status, denied.value.body["code"], denied.value.body["reason"]) == (429, 429, "RATE_LIMITED")
    assert denied.value.headers["retry-after"]
    other = world.socket("b")
    await other.opened()
    await sockets.pop().drop()
    sockets += [world.socket(), other]
    await sockets[-2].opened()
    for socket in sockets:
        await socket.drop()


async def test_a_seat_is_kept_and_a_dead_gateways_is_free_again(watched: Watched) -> None:
    coordination = watched.store.coordination
    for number in range(9):
        assert await coordination.take_seat("default/a", f"dead{number}", most=10, lives_ms=SEAT_MS)
    async with watched.listening():
        for _ in range(2):
            watched.clock.advance(SEAT_MS // 2)
            await watched.keep_seats()
        taken = [await coordination.take_seat("default/a", f"s{number}", most=10, lives_ms=1) for number in range(10)]
    assert taken == [True] * 9 + [False]


async def test_a_handshake_counts_as_a_call(open_world: OpenWorld) -> None:
    world = open_world(cluster={"requests": 1})
    await world.get("/workers")
    with pytest.raises(Denied) as denied:
        await world.socket().opened()
    assert (denied.value.status, denied.value.headers["x-ratelimit-limit"]) == (429, "1")


async def test_a_revoked_key_ends_its_socket(watched: Watched) -> None:
    key_id = await watched.key("k", Role.CLIENT)
    socket = watched.socket("k")
    await socket.opened()
    await watched.settle()
    await watched.keep_seats()
    assert socket.silent
    await watched.store.keys.revoke(key_id)
    await watched.keep_seats()
    with pytest.raises(Closed) as closed:
        await socket.hear()
    assert closed.value.code == 1008


async def test_what_a_client_says_is_not_listened_to_but_bounded(world: World) -> None:
    socket = world.socket()
    await socket.opened()
    socket.send({"type": "whatever"})
    await world.settle()
    assert socket.silent
    socket.send_raw({"type": "websocket.receive", "text": "x" * 65_537})
    with pytest.raises(Closed) as closed:
        await socket.hear()
    assert closed.value.code == 1009


async def test_a_slow_reader_is_closed() -> None:
    world = Watched(SocketLimits(queue=1))
    await world.worker()
    async with world.events():
        socket = world.socket(reads=2)
        await socket.opened()
        for _ in range(6):
            await world.done(after_ms=1)
            await world.settle()
        async for _ in socket:
            pass
    assert socket.closed_with == 1013
    await world.close()
