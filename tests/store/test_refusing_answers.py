"""An answer that refuses, and a call that is repeated, leave the key space byte for byte as it was."""

from typing import Any

import pytest

from dispatcher.domain.command import Command, CommandState
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Full, Gone, Held, Moved
from dispatcher.domain.operation import Operation, StepState
from dispatcher.domain.placement import Placement
from tests.store import redis_factory
from tests.store.scene import BY_NOBODY, Refused, Scene, command, finish, operation, own, owned
from tests.store.world import GATEWAY, ORIGIN, done

ANSWERING: dict[str, tuple[Refused, Any]] = {
    "claim: unknown task": (lambda s: s.world.claim("nothing", "s1"), Gone),
    "claim: started already": (lambda s: s.world.claim("running", "s1"), Gone),
    "claim: completed": (lambda s: s.world.claim("completed", "s1"), Gone),
    "claim: unknown server": (lambda s: s.world.claim("keyed", "nobody"), Full),
    "claim: no room": (lambda s: s.world.claim("large", "s1"), Full),
    "claim: in maintenance": (lambda s: s.world.claim("waiting", "s2"), Full),
    "claim: other load": (lambda s: s.world.claim("keyed", "s1", expected_load=3.0), Moved),
    "accept: stale": (lambda s: s.store.tasks.accept("running", BY_NOBODY, lease_ms=1_000), bool),
    "renew: stale": (
        lambda s: s.store.tasks.renew([Held("running", "s1", 9)], gateway=GATEWAY, lease_ms=99_000),
        frozenset,
    ),
    "cancel: again": (lambda s: owned("cancel", "cancelled")(s), object),
    "pause: again": (owned("pause", "paused"), type(None)),
    "resume: not paused": (owned("resume", "running"), type(None)),
    "finish: paused, and written off before": (
        lambda s: finish("paused", own("paused"), Outcome(Verdict.LOST))(s),
        object,
    ),
    "watch: ended": (lambda s: s.store.tasks.watch("completed", "gw_2"), bool),
    "free slot: running": (lambda s: s.store.tasks.free_slot("running", "s1", 1), type(None)),
    "disconnect: another connection took over": (lambda s: s.store.servers.disconnect("s1", "gone"), type(None)),
    "command: known": (lambda s: s.store.commands.enqueue(command(s.world, "c1", "s1")), Command),
    "command: not moved on": (lambda s: s.store.commands.report("agent", "c0", CommandState.SENT, "x"), Command),
    "operation: known": (lambda s: s.store.operations.create(operation(s.world, "op1")), Operation),
    "operation: ended": (lambda s: s.store.operations.advance("op1", 0, StepState.FAILED, "x"), Operation),
    "operation: no such step": (lambda s: s.store.operations.advance("op2", 1, StepState.DONE), Operation),
    "operation: ended before": (lambda s: s.store.operations.fail("op1", "x"), Operation),
    "model: not its turn": (lambda s: s.store.placements.begin_load("agent", "large"), Placement),
    "model: nothing to fail": (lambda s: s.store.placements.failed("s2", "idle", "x"), Placement),
    "finish: the same again": (lambda s: finish("completed", own("completed"), done())(s), object),
}


@pytest.mark.parametrize("name", ANSWERING)
async def test_a_refusing_answer_leaves_no_trace(scene: Scene, name: str) -> None:
    call, kind = ANSWERING[name]
    before = await scene.dump()
    assert isinstance(await call(scene), kind)
    assert await scene.dump() == before


async def test_a_refused_seat_and_key_leave_no_trace(scene: Scene) -> None:
    seats = scene.store.coordination
    await seats.take_seat("a/b", "s", most=1, lives_ms=1_000)
    before = await scene.dump()
    assert not await seats.take_seat("a/b", "t", most=1, lives_ms=1_000)
    assert not await scene.store.keys.revoke("nothing")
    runner = scene.store.tasks._run  # type: ignore[attr-defined]
    assert (await runner.call("put_api_key", key_id="k", record="{}", most=0)).tag == "too_many"
    assert await scene.dump() == before


async def test_a_refused_definition_leaves_no_trace(scene: Scene) -> None:
    runner = scene.store.tasks._run  # type: ignore[attr-defined]
    before = await scene.dump()
    assert (await runner.call("define_lane", lane="l", spec="{}", matching="0")).tag == "stale"
    stale = await runner.call(
        "put_server", server_id="s9", server_class="c9", class_spec="{}", matching="0", alias="", origin=ORIGIN,
        name="n", predict="", health="", metrics_url="", cancel_url="", offer="{}", totals="", sealed_key=b"", max=1,
        weight=1, transport="push", silence=0, forget=0, address="", only="", keep="0",
    )  # fmt: skip
    assert stale.tag == "stale"
    stale = await runner.call(
        "reoffer_server", server_id="s1", server_class="c9", class_spec="{}", matching="0", offer="{}", totals="",
        only="", max="",
    )  # fmt: skip
    assert stale.tag == "stale"
    assert await scene.dump() == before


async def test_an_unknown_lane_is_refused_without_a_count(scene: Scene) -> None:
    runner = scene.store.tasks._run  # type: ignore[attr-defined]
    before = await redis_factory.dump(scene.store.client, scene.namespace)
    reply = await runner.call(
        "create_task", task_id="t", origin=ORIGIN, tenant="a", sub="b", type="t", lane="unknown", demand="", points=0,
        boost_ms=0, spec="", payload="", timeout_ms=1, attempts_max=1, run_at=0, deadline=0, waiting_ms=0, weight=1,
        shy="0", gang=1, once="0", facets="", by_server="0", needs="", model="", loads="", rule="create",
        rate_key="a/b", rate_limit=5, idem_key="", idem_digest="", idem_ttl_ms=0, gateway="g", waiter="0",
    )  # fmt: skip
    assert reply.tag == "lane_unknown"
    assert await redis_factory.dump(scene.store.client, scene.namespace) == before


async def test_a_repeated_report_with_metrics_is_one_point(scene: Scene) -> None:
    runner, by = scene.store.tasks._run, scene.by("running")  # type: ignore[attr-defined]

    async def report(report_id: str) -> None:
        await runner.call(
            "progress", task_id="running", by="attempt", fence=by.fence, nonce=by.nonce, holder="", percent=5.0,
            lease_ms=1_000, metrics=b"{}", checkpoint="c", report_id=report_id,
        )  # fmt: skip

    await report("r1")
    before = await scene.dump()
    await report("r1")
    assert await scene.dump() == before
    await report("r2")
    assert len(await scene.store.tasks.history("running")) == 2
