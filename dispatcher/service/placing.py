"""From a queued task to a granted attempt: choose, claim, and on a refusal choose again."""

import random
from collections import Counter
from dataclasses import replace

from dispatcher.domain.grant import Behind, Candidates, Claim, Full, Gone, Grant, Granted, Moved
from dispatcher.domain.ids import new_claim_id, new_nonce
from dispatcher.domain.registry import Registry
from dispatcher.service.choice import Choice, Opening, choose
from dispatcher.service.latencies import Latencies
from dispatcher.service.ports import ServerStore, TaskStore
from dispatcher.service.retry import Outage


class Placing:
    """Makes at most `claims` claims for a task, each for a lease of `lease_ms`."""

    def __init__(
        self,
        tasks: TaskStore,
        servers: ServerStore,
        latencies: Latencies,
        outage: Outage,
        *,
        rng: random.Random,
        gateway: str,
        lease_ms: int,
        claims: int,
    ) -> None:
        self._tasks = tasks
        self._servers = servers
        self._latencies = latencies
        self._outage = outage
        self._rng = rng
        self._gateway = gateway
        self._lease_ms = lease_ms
        self._claims = claims
        self._under_way: Counter[str] = Counter()  # claims by server

    async def place(self, opening: Opening) -> Grant | None:
        """The attempt to run now: of this task, or of an older one that had to go first. None when there is none:
        the first right to the task then ends by itself, and it stays in the queue.

        Raises Unavailable or OSError when the store stays out of reach.
        """
        candidates = opening.waiting.candidates
        refused = opening.refused
        moved = False
        for number in range(1, self._claims + 1):
            registry = await self._servers.snapshot()
            seen = self._with_own_claims(candidates, registry)
            choice = choose(registry, replace(opening, refused=refused), seen, self._latencies, self._rng)
            if choice is None:
                return None
            match await self._claim(opening.waiting.task_id, choice, moved, last=number == self._claims):
                case Granted(grant) | Behind(grant):
                    return grant
                case Full(candidates):
                    refused |= {choice.server_id}
                case Moved(candidates):
                    moved = True
                case Gone():
                    return None
        return None

    def _with_own_claims(self, candidates: Candidates, registry: Registry) -> Candidates:
        """The loads as they will be after this gateway's claims that are under way.

        The tasks of one burst are told the same loads, and would all go to the server that is the least loaded then.
        """
        if not self._under_way:
            return candidates
        free = []
        for told in candidates.free:
            server = registry.servers.get(told.server_id)
            more = self._under_way[told.server_id] / server.weight if server is not None else 0.0
            free.append(replace(told, load=told.load + more))
        return replace(candidates, free=tuple(free))

    async def _claim(self, task_id: str, choice: Choice, moved: bool, *, last: bool) -> Claim:
        claim_id, nonce = new_claim_id(), new_nonce()
        self._under_way[choice.server_id] += 1
        try:
            return await self._outage.ride_out(
                lambda: self._tasks.claim(
                    task_id,
                    choice.server_id,
                    claim_id=claim_id,
                    nonce=nonce,
                    gateway=self._gateway,
                    lease_ms=self._lease_ms,
                    expected_load=choice.expected_load,
                    instead=choice.instead if moved else (),
                    last=last,
                ),
                limit_ms=self._lease_ms,
            )
        finally:
            self._under_way[choice.server_id] -= 1
            if not self._under_way[choice.server_id]:
                del self._under_way[choice.server_id]
