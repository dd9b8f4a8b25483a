"""Commands to workers: kept in order until they are acknowledged, each id once."""

from typing import Any

import pytest

from dispatcher.domain.command import WAITING_MOST, Command, CommandState, NewCommand
from dispatcher.domain.errors import Conflict, Invalid, NoControl, NotFound
from dispatcher.domain.server import Transport
from tests.store.world import World

LIFE_MS = 60_000
SENT, ACKED, DONE, FAILED = CommandState.SENT, CommandState.ACKED, CommandState.DONE, CommandState.FAILED


async def given(world: World, command_id: str, server_id: str = "s1", **changes: Any) -> Command:
    fields = {"verb": "model.load", "args": '{"model":"m"}', "deadline_ms": world.now + LIFE_MS} | changes
    return await world.store.commands.enqueue(NewCommand(command_id, server_id, **fields))


async def waiting(world: World, server_id: str = "s1") -> list[str]:
    return [command.id for command in await world.store.commands.pending(server_id)]


@pytest.fixture
async def fleet(world: World) -> World:
    for server_id in ("s1", "s2"):
        await world.given_server(server_id, transport=Transport.SOCKET)
    return world


async def test_commands_wait_in_order_until_they_are_acknowledged(fleet: World) -> None:
    first = await given(fleet, "z")
    assert first == Command(
        "z", "s1", "model.load", '{"model":"m"}', CommandState.QUEUED, fleet.now, fleet.now + LIFE_MS
    )
    await given(fleet, "a")
    await given(fleet, "other", "s2")
    assert await waiting(fleet) == ["z", "a"]
    assert (await fleet.store.commands.report("s1", "z", SENT)).state is SENT
    assert await waiting(fleet) == ["z", "a"]  # it may have been lost on its way
    await fleet.store.commands.report("s1", "z", ACKED)
    assert await waiting(fleet) == ["a"]


async def test_an_id_is_one_command(fleet: World) -> None:
    first = await given(fleet, "c1")
    assert await given(fleet, "c1", "s2", verb="other") == first
    await fleet.store.commands.report("s1", "c1", ACKED)
    assert (await given(fleet, "c1")).state is ACKED
    assert await waiting(fleet) == await waiting(fleet, "s2") == []


async def test_a_command_only_moves_on(fleet: World) -> None:
    await given(fleet, "c1")
    report = fleet.store.commands.report
    done = await report("s1", "c1", DONE, '{"ms":1}')
    assert (done.state, done.detail) == (DONE, '{"ms":1}')
    for state in (SENT, ACKED, DONE, FAILED):
        assert await report("s1", "c1", state, "again") == done
    assert await fleet.store.commands.get("c1") == done
    assert await waiting(fleet) == []


async def test_the_deadline_ends_it_but_a_late_end_is_taken(fleet: World) -> None:
    await given(fleet, "c1")
    await given(fleet, "c2")
    await fleet.store.commands.report("s1", "c2", ACKED)
    await fleet.advance(LIFE_MS - 1)
    assert await waiting(fleet) == ["c1"]
    await fleet.advance(1)
    assert await waiting(fleet) == []
    for command_id in ("c1", "c2"):
        assert (await fleet.store.commands.get(command_id)).state is CommandState.EXPIRED
    assert (await fleet.store.commands.report("s1", "c1", ACKED)).state is CommandState.EXPIRED
    assert (await fleet.store.commands.report("s1", "c1", FAILED, "no room")).detail == "no room"


async def test_only_its_worker_reports(fleet: World) -> None:
    await given(fleet, "c1")
    for server_id, command_id in (("s2", "c1"), ("s1", "nothing")):
        with pytest.raises(NotFound):
            await fleet.store.commands.report(server_id, command_id, DONE)
    with pytest.raises(NotFound):
        await fleet.store.commands.get("nothing")
    assert (await fleet.store.commands.get("c1")).state is CommandState.QUEUED


async def test_who_cannot_be_told_is_refused(fleet: World) -> None:
    await fleet.given_server("pushed")
    await fleet.given_server("pulls", transport=Transport.PULL)
    for server_id in ("pushed", "pulls"):
        with pytest.raises(NoControl):
            await given(fleet, "c1", server_id)
    with pytest.raises(NotFound):
        await given(fleet, "c1", "nobody")
    with pytest.raises(Invalid):
        await given(fleet, "c1", deadline_ms=fleet.now)
    await fleet.later(40_000)
    with pytest.raises(NoControl):
        await given(fleet, "c1")  # its connection is down
    with pytest.raises(NotFound):
        await fleet.store.commands.get("c1")


async def test_a_worker_has_only_so_many_waiting(fleet: World) -> None:
    for n in range(WAITING_MOST):
        await given(fleet, f"c{n}", deadline_ms=fleet.now + (1_000 if n == 0 else LIFE_MS))
    with pytest.raises(Conflict) as refused:
        await given(fleet, "more")
    assert refused.value.code == "TOO_MANY"
    await fleet.advance(1_000)  # the first is past its deadline
    await given(fleet, "more")
    assert (await waiting(fleet))[-1] == "more"


async def test_the_fleet_is_told_whose_command_it_is(fleet: World) -> None:
    async with fleet.events() as events:
        await given(fleet, "c1", "s2")
        event = await events.until(lambda e: e.type == "command")
    assert dict(event.fields) == {"id": "s2"}


async def test_what_is_over_is_forgotten(fleet: World) -> None:
    await given(fleet, "c1")
    await fleet.store.servers.remove("s1")
    await fleet.given_server("s1", transport=Transport.SOCKET)
    assert await waiting(fleet) == []


async def test_a_command_may_have_less_time_than_there_is(fleet: World) -> None:
    for command_id, for_ms, ends_ms in (("short", 10, 10), ("long", LIFE_MS + 1, LIFE_MS)):
        assert (await given(fleet, command_id, for_ms=for_ms)).deadline_ms == fleet.now + ends_ms
