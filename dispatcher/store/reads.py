"""Reading tasks from Redis."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from dispatcher.domain.errors import RateState
from dispatcher.domain.event import TaskUpdate
from dispatcher.domain.grant import Held
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.principal import Owner
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import RateRule, TaskQuery
from dispatcher.store import codec
from dispatcher.store.rates import count
from dispatcher.store.reach import reachable
from dispatcher.store.runner import Runner


def listing(root: str, origin: str, owner: Owner | None, facet: str = "") -> str:
    """The key of a listing, up to the state."""
    scope = f"{origin}:{owner.tenant}:{owner.sub}:" if owner else f"{origin}:"
    return f"{root}fx:{facet}:{scope}" if facet else f"{root}ix:{scope}"


def _newest(tasks: Iterable[Task]) -> list[Task]:
    return sorted(tasks, key=lambda t: (-(t.started_ms or 0), t.id))


class TaskReads:
    """One task, a page of tasks, a task's updates."""

    def __init__(self, runner: Runner) -> None:
        self._run = runner

    async def get(
        self, task_id: str, *, rate: RateRule | None = None, result: bool = True, payload: bool = False
    ) -> tuple[Task | None, RateState | None]:
        reading = self._run.call(
            "get_task", task_id=task_id, with_result="1" if result else "0", with_payload="1" if payload else "0"
        )
        if rate is None or rate.limit <= 0:
            reply, state = await reading, None
        else:  # both in one pipeline
            reply, state = await asyncio.gather(reading, count(self._run, rate))
        if reply.tag == "not_found":
            return None, state
        flat, spec, attempts, out, given = reply.values
        found = codec.task(task_id, codec.fields(flat), spec=spec, attempts=attempts, result=out, payload=given)
        return found, state

    async def find(self, query: TaskQuery) -> tuple[list[Task], int]:
        root = self._run.root
        states = query.states or tuple(TaskState)
        scopes = [listing(root, query.origin, query.owner, facet) for facet in query.facets or ("",)]
        indexes = [scope + state for scope in scopes for state in states]
        pipeline = self._run.client.pipeline(transaction=True)
        for index in indexes:
            pipeline.zcard(index)
        for index in indexes:
            pipeline.zrevrange(index, 0, query.offset + query.limit - 1, withscores=True)
        with reachable():
            answers = await pipeline.execute()
        total = sum(answers[: len(indexes)])
        merged = sorted(((-score, task) for part in answers[len(indexes) :] for task, score in part))
        page = [task.decode() for _, task in merged[query.offset : query.offset + query.limit]]
        return await self._brief(page), total

    async def running(self, server_ids: Sequence[str]) -> dict[str, list[Task]]:
        pipeline = self._run.client.pipeline(transaction=False)
        for server_id in server_ids:
            pipeline.zrange(f"{self._run.root}slots:{server_id}", 0, -1)
        with reachable():
            held = await pipeline.execute() if server_ids else []
        slots = [[slot.decode().split(":") for slot in found] for found in held]
        wanted = sorted({task_id for found in slots for task_id, _, _ in found})
        running = {(task.id, str(task.fence)): task for task in await self._brief(wanted) if task.attempt_lives}
        found = zip(server_ids, slots, strict=True)
        return {server_id: _newest(running[t, f] for t, f, _ in own if (t, f) in running) for server_id, own in found}

    async def holding(self, server_id: str) -> list[tuple[Held, Task | None]]:
        with reachable():
            pipeline = self._run.client.pipeline(transaction=False)
            pipeline.zrange(f"{self._run.root}slots:{server_id}", 0, -1)
            pipeline.hget(f"{self._run.root}s:{server_id}", "handed")
            slots, handed = await pipeline.execute()
        parts = sorted(slot.decode().split(":")[:2] for slot in slots if slot != handed)
        tasks = {task.id: task for task in await self._brief(sorted({task_id for task_id, _ in parts}))}
        return [(Held(task_id, server_id, int(fence)), tasks.get(task_id)) for task_id, fence in parts]

    async def _brief(self, ids: list[str]) -> list[Task]:
        pipeline = self._run.client.pipeline(transaction=False)
        for task_id in ids:
            pipeline.execute_command("HGETALL", f"{self._run.root}t:{task_id}")
            pipeline.get(f"{self._run.root}spec:{task_id}")
        with reachable():
            answers = await pipeline.execute() if ids else []
        found = zip(ids, answers[::2], answers[1::2], strict=True)
        return [
            codec.task(
                task_id, {k.decode(): v.decode("utf-8", "replace") for k, v in hash_.items()}, spec=spec or b"{}"
            )
            for task_id, hash_, spec in found
            if hash_
        ]

    async def history(self, task_id: str, *, limit: int = 100) -> list[MetricsPoint]:
        with reachable():
            entries: Any = await self._run.client.lrange(f"{self._run.root}mt:{task_id}", -limit, -1)
        return [codec.metrics_point(entry) for entry in entries]

    async def updates(self, task_id: str, after_rev: int) -> tuple[list[TaskUpdate], bool]:
        with reachable():
            entries: Any = await self._run.client.xrange(f"{self._run.root}ev:{task_id}", min=f"({after_rev}-0")
        found = []
        for entry, raw in entries:
            f = {k.decode(): v.decode() for k, v in raw.items()}
            found.append(
                TaskUpdate(
                    task_id=task_id,
                    rev=int(entry.split(b"-")[0]),
                    state=TaskState(f["state"]),
                    progress=float(f["progress"]),
                    server_id=f["server"] or None,
                    fence=int(f["fence"]),
                    at_ms=int(f["at"]),
                    attempt_lives=f.get("lives") == "1",
                )
            )
        return found, bool(found) and found[0].rev > after_rev + 1
