"""Tasks in Redis: attempts, and what moves a task on. Implements `service.ports.TaskStore` together with
`creation`, `pauses` and `reads`."""

import contextlib
from collections.abc import Sequence

from dispatcher.domain import errors
from dispatcher.domain.failure import Outcome
from dispatcher.domain.grant import (
    Behind,
    Cancelled,
    Claim,
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
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TaskState
from dispatcher.store import codec
from dispatcher.store.creation import TaskCreation
from dispatcher.store.pauses import TaskPauses
from dispatcher.store.refusals import not_found, refuse_owned, refuse_report, replaced


class RedisTasks(TaskCreation, TaskPauses):
    """The task half of the store. Safe to repeat with identical arguments, see `Runner`."""

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
