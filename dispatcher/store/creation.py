"""Tasks that enter the queue of Redis: new ones, and ended ones that are tried again."""

from dispatcher.domain.grant import Created
from dispatcher.domain.ids import new_claim_id
from dispatcher.domain.principal import Owner
from dispatcher.domain.task import NewTask
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import IdempotencyKey, RateRule
from dispatcher.store import codec
from dispatcher.store.fleet import Fleet
from dispatcher.store.rates import limited, rate_state
from dispatcher.store.reads import TaskReads
from dispatcher.store.refusals import refusal_of_create, refuse_owned
from dispatcher.store.runner import Reply, Runner

_NO_RULE = RateRule("", "", 0)


class TaskCreation(TaskReads):
    """Create and retry. Both need a lane, which is defined when it is new."""

    def __init__(self, runner: Runner, fleet: Fleet) -> None:
        super().__init__(runner)
        self._fleet = fleet

    async def create(
        self,
        task: NewTask,
        *,
        gateway: str,
        rate: RateRule | None = None,
        key: IdempotencyKey | None = None,
        waiter: bool = False,
    ) -> Created:
        rule = rate or _NO_RULE
        lane = self._fleet.learn(task.demand)
        while True:
            reply = await self._run.call(
                "create_task",
                task_id=task.id,
                origin=task.origin,
                **codec.who(task.owner),
                type=task.type,
                lane=lane,
                demand=codec.demand_text(task.demand),
                points=task.points,
                boost_ms=task.boost_ms,
                spec=task.spec,
                payload=task.payload,
                timeout_ms=task.timeout_ms,
                attempts_max=task.attempts_max,
                run_at=task.run_at_ms or 0,
                deadline=task.deadline_ms or 0,
                waiting_ms=task.waiting_ms or 0,
                weight=task.weight,
                gang=task.demand.gang,
                once="1" if task.demand.gang > 1 and not task.gang_restart else "0",
                shy="1" if task.shy else "0",
                facets=" ".join(task.facets),
                by_server="1" if task.by_server else "0",
                needs=task.needs.to_text(),
                model=task.model,
                loads=task.loads,
                rule=rule.name,
                rate_key=rule.key,
                rate_limit=rule.limit,
                idem_key=key.key if key else "",
                idem_digest=key.digest if key else "",
                idem_ttl_ms=key.ttl_ms if key else 0,
                gateway=gateway,
                waiter="1" if waiter else "0",
            )
            if reply.tag != "lane_unknown":
                return self._created(reply, rule)
            await self._fleet.define(task.demand)

    async def retry(self, task_id: str, *, origin: str, owner: Owner | None, waiting_ms: int | None) -> Created:
        op_id = new_claim_id()  # tells a replay from a second retry
        while True:
            reply = await self._run.call(
                "retry_task",
                task_id=task_id,
                origin=origin,
                **codec.who(owner),
                waiting_ms=waiting_ms or 0,
                op_id=op_id,
            )
            if reply.tag != "lane_unknown":
                refuse_owned(reply, task_id, "retried")
                return self._created(reply, _NO_RULE)
            demand = codec.demand(reply.text(0))
            self._fleet.learn(demand)
            await self._fleet.define(demand)

    @staticmethod
    def _created(reply: Reply, rule: RateRule) -> Created:
        if reply.tag == "limited":
            raise limited(reply, rule)
        if (refusal := refusal_of_create(reply.tag)) is not None:
            refusal.rate = rate_state(rule, reply.number(0), reply.number(1))
            raise refusal
        free, turn = codec.candidates(reply.values[5:]) if len(reply.values) > 5 else (None, 0)
        return Created(
            task_id=reply.text(0),
            state=TaskState(reply.text(1)),
            created_ms=reply.number(2),
            turn=turn,
            candidates=free,
            rate=rate_state(rule, reply.number(3), reply.number(4)),
            replayed=reply.tag == "replayed",
        )
