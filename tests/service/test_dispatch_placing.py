"""From a first right to an attempt: the refusal walk."""

import asyncio
from typing import Any

import pytest

from dispatcher.domain.errors import Unavailable
from dispatcher.domain.failure import Verdict
from dispatcher.domain.grant import Behind, Full, Gone, Granted, Moved, Waiting
from dispatcher.domain.transitions import TaskState
from tests.service.fakes import LANE, Gateway, a_grant, a_server, free, until


def fleet(count: int) -> list[Any]:
    return [a_server(name, seq) for seq, name in enumerate("abcdefgh"[:count], 1)]


async def test_a_task_is_claimed_called_and_finished() -> None:
    gateway = Gateway(*fleet(3))
    gateway.start(turn=1)
    assert gateway.tasks.calls == [], "starting returns at once"
    await gateway.settle()
    (claim,) = gateway.tasks.asked("claim")
    assert (claim["server_id"], claim["gateway"], claim["lease_ms"]) == ("b", "gw_1", 15_000)
    assert claim["claim_id"].startswith("c_")
    assert (claim["expected_load"], claim["last"]) == (None, False)
    assert gateway.ends() == [("t1", Verdict.COMPLETED)]
    (finish,) = gateway.tasks.asked("finish")
    assert (finish["by"].fence, finish["by"].nonce) == (1, "n1")
    assert finish["want_next"], "the freed slot is asked to be given on"


async def test_a_refused_claim_goes_on_with_fresh_candidates() -> None:
    gateway = Gateway(*fleet(3))
    gateway.tasks.script("claim", Full(free("b", "c")), Full(free("c")))
    gateway.start()
    await gateway.settle()
    assert [claim["server_id"] for claim in gateway.tasks.asked("claim")] == ["a", "b", "c"]
    assert gateway.forwarder.to() == ["c"]
    assert len({claim["claim_id"] for claim in gateway.tasks.asked("claim")}) == 3


async def test_the_walk_ends_after_one_and_three_other_servers() -> None:
    gateway = Gateway(*fleet(8))
    gateway.tasks.script("claim", *[Full(free(*"abcdefgh"))] * 8)
    gateway.start()
    await gateway.settle()
    assert [claim["server_id"] for claim in gateway.tasks.asked("claim")] == ["a", "b", "c", "d"]
    assert [claim["last"] for claim in gateway.tasks.asked("claim")] == [False, False, False, True]
    assert gateway.forwarder.to() == []


async def test_the_walk_ends_when_nobody_is_free() -> None:
    gateway = Gateway(*fleet(2))
    gateway.tasks.script("claim", Full(free()))
    gateway.start()
    await gateway.settle()
    assert len(gateway.tasks.asked("claim")) == 1
    gateway.start("t2", free())
    await gateway.settle()
    assert len(gateway.tasks.asked("claim")) == 1, "without a candidate nothing is claimed"


async def test_an_older_task_goes_first_and_the_own_one_stays_queued() -> None:
    gateway = Gateway(*fleet(2))
    gateway.tasks.script("claim", Behind(a_grant("older", "a", 4)))
    gateway.start("mine")
    await gateway.settle()
    assert gateway.ends() == [("older", Verdict.COMPLETED)]
    assert len(gateway.tasks.asked("claim")) == 1


async def test_a_moved_load_is_looked_at_once() -> None:
    gateway = Gateway(*fleet(2), algorithm="least-connections")
    gateway.tasks.script("claim", Moved(free(("a", 3.0), ("b", 1.0))))
    gateway.start("t1", free(("a", 0.0), ("b", 1.0)))
    await gateway.settle()
    asked = [(c["server_id"], c["expected_load"], sorted(c["instead"])) for c in gateway.tasks.asked("claim")]
    assert asked == [("a", 0.0, []), ("b", 1.0, ["a", "b"])], "the second claim cannot be refused for its load"
    assert gateway.forwarder.to() == ["b"]


@pytest.mark.parametrize("state", [TaskState.CANCELLED, TaskState.PROCESSING, None])
async def test_a_task_that_is_gone_is_let_go(state: TaskState | None) -> None:
    gateway = Gateway(*fleet(2))
    gateway.tasks.script("claim", Gone(state))
    gateway.start()
    await gateway.settle()
    assert len(gateway.tasks.asked("claim")) == 1
    assert gateway.forwarder.to() == []


async def test_a_claim_whose_reply_was_lost_is_asked_again_under_the_same_id() -> None:
    gateway = Gateway(*fleet(1))
    gateway.tasks.script("claim", Unavailable("away"), ConnectionResetError())
    gateway.start()
    await gateway.settle()
    claims = gateway.tasks.asked("claim")
    assert len(claims) == 3
    assert len({(claim["claim_id"], claim["nonce"]) for claim in claims}) == 1
    assert gateway.ends() == [("t1", Verdict.COMPLETED)]


async def test_a_store_that_stays_away_ends_the_placing(caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway(*fleet(1))
    gateway.tasks.script("claim", *[Unavailable("away")] * 1_000)
    gateway.start()
    await gateway.settle()
    assert gateway.forwarder.to() == []
    assert "was not placed" in caplog.text
    assert 15 <= sum(gateway.pauses) < 18, "as long as the lease would last"


async def test_servers_that_failed_the_task_are_avoided() -> None:
    gateway = Gateway(*fleet(2))
    gateway.start(tried=frozenset({"a"}))
    await gateway.settle()
    assert gateway.forwarder.to() == ["b"]


async def test_waiting_heads_are_claimed_in_their_order() -> None:
    gateway = Gateway(*fleet(2))
    gateway.tasks.script("claim", Granted(a_grant("t1")), Gone(None), Granted(a_grant("t3", "b")))
    heads = [Waiting(f"t{n}", LANE, 0, free("a", "b")) for n in (1, 2, 3)]
    assert await gateway.dispatch.start_waiting(heads) == 2
    assert [claim["task_id"] for claim in gateway.tasks.asked("claim")] == ["t1", "t2", "t3"]
    await gateway.settle()
    assert sorted(gateway.ends()) == [("t1", Verdict.COMPLETED), ("t3", Verdict.COMPLETED)]


async def test_no_head_is_claimed_when_all_calls_are_taken() -> None:
    gateway = Gateway(*fleet(1), max_calls=1)
    gateway.forwarder.gate = gate = asyncio.Event()
    gateway.start("t1")
    await until(lambda: gateway.forwarder.running == 1)
    assert await gateway.dispatch.start_waiting([Waiting("t2", LANE, 0, free("a"))]) == 0
    gate.set()
    await gateway.settle()
    assert gateway.ends() == [("t1", Verdict.COMPLETED)]


async def test_as_many_heads_are_claimed_as_can_run() -> None:
    gateway = Gateway(*fleet(3), max_calls=1)
    gateway.tasks.script("claim", Gone(None))
    heads = [Waiting(f"t{n}", LANE, 0, free("a", "b", "c")) for n in (1, 2, 3)]
    assert await gateway.dispatch.start_waiting(heads) == 1
    assert [claim["task_id"] for claim in gateway.tasks.asked("claim")] == ["t1", "t2"], "the permit of t1 came back"
    await gateway.settle()


async def test_after_a_refusal_a_large_fleet_offers_what_is_known_to_be_free() -> None:
    gateway = Gateway(*fleet(8))
    gateway.tasks.script("claim", Full(free("g", complete=False)))
    gateway.start("t1", free("h", complete=False))
    await gateway.settle()
    assert [claim["server_id"] for claim in gateway.tasks.asked("claim")] == ["a", "g"]


async def test_affinity_keeps_a_key_on_one_server() -> None:
    gateway = Gateway(*fleet(8), algorithm="rendezvous-hash")
    for n in range(6):
        gateway.start(f"t{n}", key="model-7")
    await gateway.settle()
    assert len(set(gateway.forwarder.to())) == 1


async def test_a_burst_that_is_told_the_same_loads_does_not_go_to_one_server() -> None:
    gateway = Gateway(*fleet(3), algorithm="least-connections")
    for number in range(6):
        gateway.start(f"t{number}", free(("a", 0.0), ("b", 2.0), ("c", 4.0)))
    await gateway.settle()
    asked = sorted((claim["server_id"], claim["expected_load"]) for claim in gateway.tasks.asked("claim"))
    assert asked == [("a", 0.0), ("a", 1.0), ("a", 2.0), ("a", 3.0), ("b", 2.0), ("b", 3.0)]
    gateway.start("alone", free(("a", 0.0), ("b", 2.0)))
    await gateway.settle()
    assert gateway.tasks.asked("claim")[-1]["expected_load"] == 0.0, "nothing is under way any more"
