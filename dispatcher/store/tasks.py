"""Tasks in Redis: the verbs that move them. Implements `service.ports.TaskStore` together with
`reads` and `pauses`."""

import contextlib
from collections.abc import Sequence

from dispatcher.domain import errors
from dispatcher.domain.failure import Outcome
from dispatcher.domain.grant import (
    Behind,
    Cancelled,
    Claim,
    Created,
    Finished,
    Full,
    Gone,
    Grant,
    Granted,
    Held,
    Moved,
    Ticked,
    Waiting,
)
from dispatcher.domain.ids import new_claim_id
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAttempt, Reporter
from dispatcher.domain.task import NewTask, Task
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import IdempotencyKey, RateRule
from dispatcher.store import codec
from dispatcher.store.fleet import Fleet
from dispatcher.store.pauses import TaskPauses
from dispatcher.store.rates import limited, rate_state
from dispatcher.store.refusals import not_found, refusal_of_create, refuse_owned, refuse_report, replaced
from dispatcher.store.runner import Reply, Runner

_NO_RULE = RateRule("", "", 0)


class RedisTasks(TaskPauses):
    """The task half of the store. Safe to repeat with identical arguments, see `Runner`."""

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
            if not await self._fleet.define(task.demand):
                raise errors.Unavailable("Too many different demands are waiting", retry_after_s=5)

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

    async def claim(
        self,
        task_id: str,
        server_id: str,
        *,
        claim_id: str,
        nonce: str,
        gateway: str,
        lease_ms: int,
        expected_load: float | None = None,
        instead: Sequence[str] = (),
        last: bool = False,
    ) -> Claim:
        reply = await self._run.call(
            "claim_attempt",
            task_id=task_id,
            server=server_id,
            claim_id=claim_id,
            nonce=nonce,
            gateway=gateway,
            lease_ms=lease_ms,
            expected="" if expected_load is None else expected_load,
            instead=",".join(instead),
            last="1" if last else "0",
        )
        match reply.tag:
            case "granted":
                return Granted(codec.grant(reply.values, reply.now_ms))
            case "behind":
                grant = codec.grant(reply.values, reply.now_ms)
                await self._know(grant)
                return Behind(grant)
            case "full":
                return Full(codec.candidates(reply.values)[0])
            case "moved":
                return Moved(codec.candidates(reply.values)[0])
        state = reply.text(0)
        return Gone(TaskState(state) if state else None)

    async def claim_next(
        self,
        server_id: str,
        *,
        claim_id: str,
        nonce: str,
        gateway: str,
        lease_ms: int,
        note: str = "",
        session: str = "",
    ) -> Grant | None:
        reply = await self._run.call(
            "claim_next",
            server=server_id,
            claim_id=claim_id,
            nonce=nonce,
            gateway=gateway,
            lease_ms=lease_ms,
            note=note,
            session=session,
        )
        if reply.tag == "unknown":
            raise errors.NotFound(f"Server not found: {server_id}")
        if reply.tag == "replaced":
            raise replaced()
        if reply.tag == "empty":
            return None
        grant = codec.grant(reply.values, reply.now_ms)
        await self._know(grant)
        return grant

    async def finish(
        self,
        task_id: str,
        by: Reporter,
        outcome: Outcome,
        *,
        gateway: str,
        retry_delay_ms: int,
        want_next: str | None = None,
        want_task: bool = False,
        lease_ms: int = 15_000,
    ) -> Finished:
        reply = await self._run.call(
            "finish_attempt",
            task_id=task_id,
            **codec.reporter(by),
            verdict=outcome.verdict,
            digest=outcome.digest,
            result=outcome.result,
            code=outcome.code,
            why=outcome.text,
            slot_free="1" if outcome.slot_free else "0",
            rest_ms=outcome.rest_ms,
            service_ms=outcome.service_ms or 0,
            retry_delay_ms=retry_delay_ms,
            want_next=want_next or "",
            want_task="1" if want_task else "0",
            gateway=gateway,
            lease_ms=lease_ms,
        )
        refuse_report(reply, task_id)
        state = TaskState(reply.text(0))
        if reply.tag == "handed_on":
            free, turn = codec.candidates(reply.values[2:])
            return Finished(state, duplicate=reply.values[1] == b"1", candidates=free, turn=turn)
        grant = codec.grant(reply.values[3:], reply.now_ms) if len(reply.values) > 3 else None
        if grant:
            await self._know(grant)
        task = None
        if reply.values[2]:
            flat, spec, attempts = reply.values[2]
            task = codec.task(task_id, codec.fields(flat), spec=spec, attempts=attempts, result=outcome.result)
        return Finished(state, duplicate=reply.values[1] == b"1", grant=grant, task=task)

    async def _know(self, grant: Grant) -> None:
        """The lane's demand is only needed to hand the task on: not knowing it must not lose the grant."""
        with contextlib.suppress(errors.Unavailable):
            await self._fleet.know({grant.lane})

    async def accept(self, task_id: str, by: ByAttempt, *, lease_ms: int) -> bool:
        reply = await self._run.call(
            "accept_attempt", task_id=task_id, fence=by.fence, nonce=by.nonce, lease_ms=lease_ms
        )
        return reply.tag == "accepted"

    async def progress(
        self,
        task_id: str,
        by: Reporter,
        percent: float,
        *,
        lease_ms: int | None = None,
        metrics: bytes | None = None,
        checkpoint: str | None = None,
    ) -> Task:
        reply = await self._run.call(
            "progress",
            task_id=task_id,
            **codec.reporter(by),
            percent=percent,
            lease_ms=lease_ms or self._run.options.accepted_lease_ms,
            metrics=metrics or b"",
            checkpoint=checkpoint or "",
            report_id=new_claim_id() if metrics else "",  # tells a replay from a second report
        )
        refuse_report(reply, task_id)
        task, _ = await self.get(task_id, result=False)
        if task is None:
            raise not_found(task_id)
        return task

    async def renew(self, held: Sequence[Held], *, gateway: str, lease_ms: int) -> frozenset[Held]:
        if not held:
            return frozenset()
        flat = [part for h in held for part in (h.task_id, h.server_id, str(h.fence))]
        reply = await self._run.call("renew", *flat, gateway=gateway, lease_ms=lease_ms)
        return frozenset(held[int(place)] for place in reply.values)

    async def cancel(self, task_id: str, *, origin: str, owner: Owner | None, waiting_only: bool = False) -> Cancelled:
        only = "1" if waiting_only else "0"
        reply = await self._run.call(
            "cancel_task", task_id=task_id, origin=origin, **codec.who(owner), waiting_only=only
        )
        refuse_owned(reply, task_id, "cancelled")
        if reply.tag == "already":
            return Cancelled(already=True)
        return Cancelled(reply.text(0) or None, reply.number(1))

    async def free_slot(self, task_id: str, server_id: str, fence: int) -> None:
        await self._run.call("free_slot", task_id=task_id, server=server_id, fence=fence)

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
            if not await self._fleet.define(demand):
                raise errors.Unavailable("Too many different demands are waiting", retry_after_s=5)

    async def delete(self, task_id: str, *, origin: str, owner: Owner | None) -> None:
        reply = await self._run.call("delete_task", task_id=task_id, origin=origin, **codec.who(owner))
        refuse_owned(reply, task_id, "deleted")

    async def watch(self, task_id: str, gateway: str) -> bool:
        return (await self._run.call("watch_task", task_id=task_id, gateway=gateway)).tag == "watching"

    async def tick(self, *, gateway: str, limit: int = 64) -> Ticked:
        reply = await self._run.call("tick", gateway=gateway, limit=limit)
        return Ticked(reply.number(0), reply.values[1] == b"1", tuple(v.decode() for v in reply.values[2:]))

    async def peek(self, *, limit: int = 64) -> list[Waiting]:
        reply = await self._run.call("peek", limit=limit)
        heads: list[list[bytes]] = reply.values[0]
        found = []
        for task_id, lane, tried, model, free in heads:
            candidates, turn = codec.candidates(free)  # type: ignore[arg-type]
            servers = frozenset(filter(None, tried.decode().split(",")))
            found.append(Waiting(task_id.decode(), lane.decode(), turn, candidates, servers, model.decode()))
        await self._fleet.know({w.lane for w in found})
        return found
