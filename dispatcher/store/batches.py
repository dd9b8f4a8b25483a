"""Many tasks or none, in Redis. Implements `service.ports.BatchStore`."""

from collections.abc import Iterable, Sequence

from dispatcher.domain import errors
from dispatcher.domain.errors import RateState
from dispatcher.domain.task import NewTask
from dispatcher.service.ports import BatchTotals, RateRule
from dispatcher.store import codec
from dispatcher.store.fleet import Fleet
from dispatcher.store.rates import limited, rate_state
from dispatcher.store.refusals import refusal_of_create
from dispatcher.store.runner import Reply, Runner

KEEP_MS = 60_000
_NO_RULE = RateRule("", "", 0)


def _record(task: NewTask) -> bytes:
    """A task as fields of `<length>:<bytes>`, in the order that the scripts read them."""
    fields: Iterable[object] = (
        task.id, task.type, task.points, task.boost_ms, task.spec, task.payload, task.timeout_ms, task.attempts_max,
        task.waiting_ms or 0, task.weight, "1" if task.shy else "0", " ".join(task.facets), task.needs.to_text(),
        task.model, task.loads,
    )  # fmt: skip
    raw = (field if isinstance(field, bytes) else str(field).encode() for field in fields)
    return b"".join(b"%d:%b" % (len(field), field) for field in raw)


class RedisBatches:
    """Safe to repeat with identical arguments, see `Runner`."""

    def __init__(self, runner: Runner, fleet: Fleet) -> None:
        self._run = runner
        self._fleet = fleet

    async def stage(self, batch_id: str, first: int, tasks: Sequence[NewTask]) -> None:
        demand = tasks[0].demand
        lane = self._fleet.learn(demand)
        records = [_record(task) for task in tasks]
        while True:
            reply = await self._run.call(
                "stage_batch", *records, batch=batch_id, lane=lane, first=first, keep_ms=KEEP_MS
            )
            if reply.tag == "staged":
                return
            await self._fleet.define(demand)

    async def commit(
        self, batch_id: str, totals: BatchTotals, *, rate: RateRule | None = None
    ) -> tuple[int, RateState | None]:
        rule = rate or _NO_RULE
        lane = self._fleet.learn(totals.demand)
        while True:
            reply = await self._run.call(
                "commit_batch",
                batch=batch_id,
                origin=totals.origin,
                tenant=totals.owner.tenant,
                sub=totals.owner.sub,
                lane=lane,
                demand=codec.demand_text(totals.demand),
                n=totals.count,
                bytes=totals.size,
                rule=rule.name,
                rate_key=rule.key,
                rate_limit=rule.limit,
            )
            if reply.tag == "committed":
                return reply.number(0), rate_state(rule, reply.number(1), reply.number(2))
            if reply.tag != "lane_unknown":
                raise _refusal(reply, rule)
            await self._fleet.define(totals.demand)

    async def fill(self, batch_id: str, *, limit: int = 64) -> int:
        return (await self._run.call("fill_batch", batch=batch_id, limit=limit)).number(0)


def _refusal(reply: Reply, rule: RateRule) -> errors.DispatchError:
    if reply.tag == "limited":
        return limited(reply, rule)
    refusal = refusal_of_create(reply.tag) or errors.NotFound("The batch is not complete, or too old")
    refusal.rate = rate_state(rule, reply.number(0), reply.number(1))
    return refusal
