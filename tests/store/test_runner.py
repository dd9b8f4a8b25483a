"""How script calls travel: together, by hash, and once more when a reply was lost."""

import asyncio
import uuid
from typing import Any

import pytest
import redis.exceptions
from redis.asyncio import Redis

from dispatcher.domain.errors import Unavailable
from dispatcher.store.connection import connect
from dispatcher.store.options import StoreOptions
from dispatcher.store.runner import BATCH, PIPELINES, Runner


class Pipeline:
    """A pipeline that counts, and can lose its replies after the server has acted."""

    def __init__(self, wire: "Wire") -> None:
        self._wire = wire
        self._inner = wire.inner.pipeline(transaction=False)
        self._commands: list[tuple[Any, ...]] = []

    def execute_command(self, *args: Any) -> None:
        self._commands.append(args)
        self._inner.execute_command(*args)

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        self._wire.batches.append(self._commands)
        if self._wire.refuse:
            raise redis.exceptions.ConnectionError("refused")
        answers: list[Any] = await self._inner.execute(raise_on_error=raise_on_error)
        if self._wire.lose:
            self._wire.lose -= 1
            raise redis.exceptions.ConnectionError("the reply was lost")
        return answers


class Wire:
    """Stands between a runner and a real client."""

    def __init__(self, inner: Redis) -> None:
        self.inner = inner
        self.batches: list[list[tuple[Any, ...]]] = []
        self.lose = 0
        self.refuse = False

    def pipeline(self, transaction: bool) -> Pipeline:
        assert not transaction
        return Pipeline(self)


@pytest.fixture
async def wire(servers: dict[str, str]) -> Any:
    client = connect(servers["wheel"])
    yield Wire(client)
    await client.aclose()


@pytest.fixture
def runner(wire: Any) -> Runner:
    return Runner(wire, uuid.uuid4().hex, StoreOptions())


async def limit(runner: Runner, key: str = "k") -> int:
    return int((await runner.call("limit", "r", key, "1000", "60000")).values[0][0])


async def test_calls_of_one_turn_share_a_pipeline(runner: Runner, wire: Wire) -> None:
    await limit(runner)  # loads the script
    wire.batches.clear()
    assert sorted(await asyncio.gather(*(limit(runner) for _ in range(50)))) == list(range(2, 52))
    assert [len(batch) for batch in wire.batches] == [50]


async def test_a_flood_goes_in_bounded_batches_on_few_connections(runner: Runner, wire: Wire) -> None:
    await limit(runner)
    wire.batches.clear()
    many = BATCH * (PIPELINES + 2)
    assert len(set(await asyncio.gather(*(limit(runner) for _ in range(many))))) == many
    assert max(len(batch) for batch in wire.batches) <= BATCH


async def test_an_unknown_script_is_sent_whole_and_only_it(runner: Runner, wire: Wire) -> None:
    await limit(runner)
    await wire.inner.script_flush()
    wire.batches.clear()
    assert await limit(runner) == 2
    assert [command[0] for batch in wire.batches for command in batch] == ["EVALSHA", "EVAL"]


async def test_a_lost_reply_is_asked_for_once_more_with_the_same_words(runner: Runner, wire: Wire) -> None:
    await limit(runner)
    wire.batches.clear()
    wire.lose = 1
    await runner.call("presence", gateway="gw_1", lives_ms=3_000)
    sent = [batch for batch in wire.batches if batch[0][0] == "EVALSHA"]
    assert len(sent) >= 2
    assert sent[0] == sent[1]


async def test_a_store_that_stays_away_is_unavailable(runner: Runner, wire: Wire) -> None:
    wire.refuse = True
    with pytest.raises(Unavailable, match="cannot be reached"):
        await limit(runner)
    assert len(wire.batches) == 2
    wire.refuse = False
    assert await limit(runner) == 1


async def test_a_full_store_is_unavailable_and_nothing_else_fails(runner: Runner, wire: Wire) -> None:
    await wire.inner.config_set("maxmemory", "1")
    try:
        with pytest.raises(Unavailable, match="no writes"):
            await limit(runner)
    finally:
        await wire.inner.config_set("maxmemory", "0")
    assert await limit(runner) == 1


async def test_a_caller_that_gives_up_disturbs_nobody(runner: Runner) -> None:
    gone = asyncio.ensure_future(limit(runner, "a"))
    stays = asyncio.ensure_future(limit(runner, "b"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 1
    with pytest.raises(asyncio.CancelledError):
        await gone
