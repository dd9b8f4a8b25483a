"""What becomes of a client's socket while the store is out of reach, or when nothing is heard of the client."""

from typing import Any

import pytest

from dispatcher.domain.errors import Unavailable
from dispatcher.web.event_stream import CloseSocket, Inlet
from tests.dialects.farm.world import Closed, Socket, World


def _away_once(monkeypatch: pytest.MonkeyPatch, store: Any, verb: str) -> None:
    """The next call of this verb finds the store out of reach."""
    real = getattr(store, verb)

    async def away(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(store, verb, real)
        raise Unavailable("The store is out of reach", 1)

    monkeypatch.setattr(store, verb, away)


async def _closed(socket: Socket) -> tuple[int, str]:
    with pytest.raises(Closed) as closed:
        await socket.hear()
    return closed.value.code, closed.value.reason


async def test_a_request_for_work_that_is_lost_sends_the_client_to_ask_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = await world.create()
    for resources, verb in ((None, "holding"), ({"cpu": {"cores": 1}}, "reoffer"), ({}, "heartbeat")):
        async with world.connected() as socket:
            await world.settle()
            store = world.store.tasks if verb == "holding" else world.store.servers
            _away_once(monkeypatch, store, verb)
            socket.say("task_request", **({} if resources is None else {"resources": resources}))
            assert await _closed(socket) == (1001, "The store is out of reach"), verb
    async with world.connected() as socket:
        socket.say("task_request")
        assert (await socket.hear())["data"]["id"] == task_id


async def test_a_heartbeat_that_is_lost_is_answered_and_the_socket_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.connected() as socket:
        await world.settle()
        _away_once(monkeypatch, world.store.servers, "heartbeat")
        socket.say("heartbeat")
        assert (await socket.hear())["data"]["code"] == "SERVICE_UNAVAILABLE"
        await world.given(socket)


async def test_a_socket_that_cannot_even_be_begun_is_closed_to_be_opened_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _away_once(monkeypatch, world.store.servers, "heartbeat")
    async with world.connected() as socket:
        assert await _closed(socket) == (1001, "The store is out of reach")


async def test_a_task_that_could_not_be_described_sends_its_client_to_another_connection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.store.coordination.presence("gw_1")
    async with world.events(), world.connected("one") as one, world.connected("two") as two:
        for socket in (one, two):
            socket.say("task_request")
        await world.settle()
        _away_once(monkeypatch, world.services.tasks, "first_holder")
        task_id = await world.create(distributed=True, n_clients=2)
        lost, kept = (one, two) if two.outbound.qsize() == 2 else (two, one)
        assert await _closed(lost) == (1001, "Connect again")
        assert (await kept.hear())["data"]["id"] == task_id
        stop = await kept.hear()
        assert (stop["action"], stop["task_id"]) == ("stop", task_id)


async def test_a_silent_client_may_come_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(_: Inlet, limit_s: float, code: int) -> None:
        raise CloseSocket(code, f"Nothing heard for {limit_s:g} s")

    monkeypatch.setattr(Inlet, "watch_silence", silent)
    async with world.connected() as socket:
        assert await _closed(socket) == (1001, "Nothing heard for 90 s")


async def test_a_result_that_could_not_be_taken_is_not_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.connected() as socket:
        task_id = await world.given(socket)
    async with world.connected() as socket:
        await world.settle()
        _away_once(monkeypatch, world.store.tasks, "finish")
        socket.say("task_result", task_id=task_id, status="completed")
        assert (await socket.hear())["reason"] == "SERVICE_UNAVAILABLE"
        socket.say("task_request")
        socket.say("task_result", task_id=task_id, status="completed")
        assert (await socket.hear())["received"] is True
    assert (await world.task(task_id))["status"] == "completed"
