"""A refused call about a task leaves the key space byte for byte as it was, but for rate counts."""

import contextlib

import pytest

from dispatcher.domain.errors import DispatchError
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.lane import Demand
from dispatcher.domain.reporter import ByAdmin, ByAttempt
from dispatcher.service.ports import BatchTotals, IdempotencyKey, RateRule
from tests.store.scene import (
    BY_NOBODY,
    FOREIGN,
    OPTIONS,
    Refused,
    Scene,
    create,
    delete_files,
    finish,
    holder,
    leaves_no_trace,
    own,
    owned,
    progress,
    put_file,
    reserve,
    say,
)
from tests.store.world import ORIGIN, OWNER

RAISING: dict[str, Refused] = {
    "create: key reused": create(key=IdempotencyKey("k", "other")),
    "create: deadline in the past": create(deadline_ms=1),
    "create: too many bytes": create(payload=b'"' + b"x" * 400 + b'"'),
    "finish: unknown task": finish("nothing", lambda _: BY_NOBODY),
    "finish: forged nonce": finish("running", lambda _: BY_NOBODY),
    "finish: newer fence than any": finish("running", lambda _: ByAttempt(7, "n")),
    "finish: a server that never held it": finish("running", holder("s2")),
    "finish: a holder's older attempt": finish("running", holder("s1", 9)),
    "finish: admin, no attempt yet": finish("waiting", lambda _: ByAdmin()),
    "finish: other result": finish("completed", own("completed")),
    "finish: other end": finish("failed", own("failed")),
    "finish: cancelled": finish("cancelled", own("cancelled")),
    "finish: failure after the end": finish("completed", own("completed"), Outcome(Verdict.FAILURE)),
    "progress: unknown task": progress("nothing", lambda _: BY_NOBODY),
    "progress: forged nonce": progress("running", lambda _: BY_NOBODY),
    "progress: never held": progress("running", holder("s2")),
    "progress: ended": progress("completed", own("completed")),
    "progress: no attempt": progress("waiting", lambda _: ByAdmin()),
    "progress: metrics of a forged attempt": lambda s: s.store.tasks.progress(
        "running", BY_NOBODY, 50.0, metrics=b"{}", checkpoint="c"
    ),
    "progress: paused, and its attempt is over": progress("paused", own("paused")),
    "cancel: unknown": owned("cancel", "nothing"),
    "cancel: somebody else's": owned("cancel", "running", FOREIGN),
    "cancel: completed": owned("cancel", "completed"),
    "cancel: running, when only what waits may be": lambda s: s.store.tasks.cancel(
        "running", origin=ORIGIN, owner=OWNER, waiting_only=True
    ),
    "pause: unknown": owned("pause", "nothing"),
    "pause: somebody else's": owned("pause", "waiting", FOREIGN),
    "pause: completed": owned("pause", "completed"),
    "pause: its worker cannot be told": owned("pause", "running"),
    "resume: somebody else's": owned("resume", "paused", FOREIGN),
    "resume: cancelled": owned("resume", "cancelled"),
    "retry: paused": owned("retry", "paused"),
    "retry: somebody else's": owned("retry", "failed", FOREIGN),
    "retry: running": owned("retry", "running"),
    "retry: cancelled": owned("retry", "cancelled"),
    "delete: paused": owned("delete", "paused"),
    "delete: somebody else's": owned("delete", "failed", FOREIGN),
    "delete: running": owned("delete", "running"),
    "log: unknown task": say("nothing", lambda _: BY_NOBODY),
    "log: other origin": say("running", own("running"), "jobs"),
    "log: forged nonce": say("running", lambda _: BY_NOBODY),
    "log: never held": say("running", holder("s2")),
    "log: no attempt": say("waiting", lambda _: ByAdmin()),
    "log: ended": say("completed", own("completed")),
    "file: forged nonce": reserve("running", lambda _: BY_NOBODY),
    "file: ended": reserve("completed", own("completed")),
    "file: too many": reserve("running", own("running")),
    "file: record of an attempt that is over": put_file("completed", own("completed")),
    "file: record of a blob that nobody announced": put_file("running", own("running"), "other"),
    "file: larger than its room": put_file("running", own("running"), size=2 << 30),
    "files: somebody else's": delete_files("running", None, FOREIGN),
    "files: no such path": delete_files("running", "nothing"),
    "commit: nothing staged": lambda s: s.store.batches.commit("b", BatchTotals(ORIGIN, OWNER, Demand(), 1, 7)),
    "commit: not all there": lambda s: s.store.batches.commit("staged", BatchTotals(ORIGIN, OWNER, Demand(), 2, 7)),
    "commit: too many bytes": lambda s: s.store.batches.commit("staged", BatchTotals(ORIGIN, OWNER, Demand(), 1, 401)),
}


@pytest.mark.parametrize("name", RAISING)
async def test_an_error_leaves_no_trace(scene: Scene, name: str) -> None:
    await leaves_no_trace(scene, RAISING[name])


async def test_rate_and_quota_refusals_leave_only_the_count(scene: Scene) -> None:
    rule = RateRule("create", "acme/ann", 1)
    await scene.store.coordination.limit(rule)
    before = await scene.dump()
    with pytest.raises(DispatchError, match="per minute"):
        await create(rate=rule)(scene)
    assert await scene.dump() == before
    for n in range(OPTIONS.tenant_max):  # until the quota is full
        with contextlib.suppress(DispatchError):
            await scene.world.given_task(f"more{n}")
    before = await scene.dump()
    with pytest.raises(DispatchError, match="of this tenant"):
        await create()(scene)
    assert await scene.dump() == before
