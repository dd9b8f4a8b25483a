"""A gateway without a network: the real application and services over the store in memory."""

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.native.native import native_dialect
from dispatcher.dialects.native.options import NativeOptions
from dispatcher.dialects.native.socket import SocketLimits
from dispatcher.dialects.native.worker_socket import WorkerSocketLimits
from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import Invalid, Unauthorized
from dispatcher.domain.failure import Accepted, Outcome
from dispatcher.domain.grant import Grant
from dispatcher.domain.principal import Owner, Principal, Role
from dispatcher.domain.reporter import ByAttempt
from dispatcher.domain.server import Server
from dispatcher.service.balancing import Balancing
from dispatcher.service.batches import Batches
from dispatcher.service.commands import Commands
from dispatcher.service.dispatch import Dispatch, DispatchOptions
from dispatcher.service.duties import Duties
from dispatcher.service.feed import Feed
from dispatcher.service.files import Files
from dispatcher.service.latencies import Latencies
from dispatcher.service.logs import Logs
from dispatcher.service.operations import Operations
from dispatcher.service.placements import Placements
from dispatcher.service.servers import Servers
from dispatcher.service.services import Services
from dispatcher.service.sessions import Sessions
from dispatcher.service.stats import Stats
from dispatcher.service.steps import Steps
from dispatcher.service.submit import Submit
from dispatcher.service.tails import Tails
from dispatcher.service.tasks import Tasks
from dispatcher.service.telemetry import Telemetry
from dispatcher.service.waits import Waits
from dispatcher.service.watch import Watch
from dispatcher.service.workers import Workers
from dispatcher.store.memory import MemoryStore
from dispatcher.store.options import StoreOptions
from dispatcher.web.body import BodyLimits
from dispatcher.web.gateway import gateway
from dispatcher.web.health import Health
from dispatcher.web.rates import Rates
from tests.support.blobs import MemoryBlobs

START_MS = 1_704_556_800_000
A = "client-a"
CREATE = {"type": "video-processing", "priority": 1, "payload": {"video_url": "https://example.com/video.mp4"}}
REGISTER = {"name": "gpu-server-01", "endpoints": {"predict": "https://server1.example.com/predict"}}


class Backend:
    """The forwarder: answers each predict call with `answer`, and remembers the grants."""

    def __init__(self) -> None:
        self.answer: Outcome | Accepted = Accepted()
        self.grants: dict[str, Grant] = {}
        self.called = asyncio.Event()

    async def predict(self, grant: Grant, server: Server, *, remaining_ms: int) -> Outcome | Accepted:
        self.grants[grant.task_id] = grant
        self.called.set()
        return self.answer

    async def cancel(self, server: Server, task_id: str, fence: int) -> bool:
        return True

    async def probe(self, server: Server) -> bool:
        return True

    def callback(self, task_id: str) -> str:
        grant = self.grants[task_id]
        return f"cb.{task_id}.{grant.fence}.{grant.nonce}"


def read_callback(task_id: str, token: str) -> ByAttempt:
    parts = token.split(".")
    if len(parts) != 4 or parts[:2] != ["cb", task_id]:
        raise Unauthorized("Invalid or expired token")
    return ByAttempt(int(parts[2]), parts[3])


def check_url(url: str, field: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise Invalid(f"{field} must be an http or https URL", field=field)


class Tokens:
    """Tokens are looked up, not verified: that is tested where it is done."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._known: dict[str, Principal] = {}
        for name in ("a", "b"):
            self.add(f"client-{name}", name, Role.CLIENT)
        self.add("admin", "root", Role.ADMIN)

    def add(self, token: str, sub: str, *roles: Role, server_id: str | None = None, life_ms: int = 864_000_000) -> str:
        now = self._clock.now_ms()
        self._known[token] = Principal(Owner("default", sub), frozenset(roles), server_id, now, now + life_ms)
        return token

    def server(self, server_id: str, tenant: str = "default") -> str:
        return self.add(f"server-{server_id}", server_id, Role.SERVER, server_id=server_id)

    def authenticate(self, token: str) -> Principal:
        found = self._known.get(token)
        if found is None or found.expires_ms <= self._clock.now_ms():
            raise Unauthorized("Invalid or expired token")
        return found


@dataclass
class World:
    rates: Rates = field(default_factory=lambda: Rates(enabled=False))
    store_options: StoreOptions = field(default_factory=StoreOptions)
    options: NativeOptions = field(default_factory=NativeOptions)
    body: BodyLimits = field(default_factory=BodyLimits)
    results: BodyLimits = field(default_factory=lambda: BodyLimits(max_bytes=8_388_608))
    sockets: SocketLimits = field(default_factory=SocketLimits)
    worker_sockets: WorkerSocketLimits = field(default_factory=WorkerSocketLimits)

    def __post_init__(self) -> None:
        self.clock = ManualClock(START_MS)
        self.store = store = MemoryStore(self.clock, self.store_options)
        self.backend = Backend()
        self.tokens = Tokens(self.clock)
        self.sealed: dict[str, str] = {}
        self.draining = False
        waits = Waits()
        self.dispatch = Dispatch(
            store.tasks, store.servers, self.backend, waits, Latencies(),
            clock=self.clock, rng=random.Random(7), gateway="gw_test", options=DispatchOptions(),
        )  # fmt: skip
        servers = Servers(store.servers, store.stats, self.backend)
        self.tasks = Tasks(
            store.tasks, store.servers, self.backend, waits, self.dispatch, gateway="gw_test", clock=self.clock
        )
        self.blobs = MemoryBlobs()
        files = Files(store.files, self.blobs, self.tasks)
        self.duties = Duties(store.tasks, servers, self.dispatch, gateway="gw_test", clock=self.clock, files=files)
        self.tails = Tails(store.logs)
        workers = Workers(store.tasks, store.servers, gateway="gw_test", clock=self.clock)
        commands = Commands(store.commands)
        steps = Steps(store.servers, store.placements, commands)
        operations = Operations(store.operations, store.servers, commands, steps, gateway="gw_test")
        self.services = Services(
            submit=Submit(store.tasks, self.dispatch, waits, gateway="gw_test", clock=self.clock),
            batches=Batches(store.batches, self.dispatch),
            tasks=self.tasks,
            logs=Logs(store.logs, self.tasks, self.tails),
            files=files,
            servers=servers,
            stats=Stats(store.stats, store.servers, clock=self.clock),
            balancing=Balancing(store.servers),
            watch=Watch(store.tasks),
            workers=workers,
            sessions=Sessions(store.tasks, store.servers, workers, self.dispatch, gateway="gw_test"),
            feed=Feed(),
            telemetry=Telemetry(store.telemetry, store.servers, store.tasks, clock=self.clock),
            commands=commands,
            operations=operations,
            placements=Placements(store.placements, store.servers, operations),
            coordination=store.coordination,
        )
        self.gate = Gate(self.tokens, read_callback, store.coordination, self.rates, self.body, self.results)
        self.dialect = self._dialect()
        self.log = Log()
        self.app = gateway({"": self.dialect.mount()}, clock=self.clock, log=self.log)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://gateway")

    def _dialect(self) -> Dialect:
        health = Health(
            self.store.coordination, self.clock, gateway="gw_test", version="0.1.0", draining=lambda: self.draining
        )
        return native_dialect(
            self.services,
            self.gate,
            self.clock,
            duties=self.duties,
            health=health,
            check_url=check_url,
            seal_key=self._seal,
            issue_server_token=lambda server, caller: self.tokens.server(server.id),
            callback_token=lambda task_id, fence, nonce: f"cb.{task_id}.{fence}.{nonce}",
            public_url="http://gateway",
            version="0.1.0",
            options=self.options,
            socket_limits=self.sockets,
            worker_limits=self.worker_sockets,
        )

    def _seal(self, server_id: str, key: str) -> bytes:
        self.sealed[server_id] = key
        return b"sealed"

    async def call(
        self,
        method: str,
        path: str,
        token: str | None = A,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> httpx.Response:
        """One request; `body` is sent as JSON, `raw` as it is."""
        sent = dict(headers or {})
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        wire = {name: value.encode("latin-1") for name, value in sent.items()}
        return await self.http.request(method, path, headers=wire, content=raw)  # type: ignore[arg-type]

    async def register(self, **more: Any) -> str:
        answer = await self.call("POST", "/api/servers", "admin", {**REGISTER, **more})
        assert answer.status_code == 200, answer.text
        server_id: str = answer.json()["serverId"]
        return server_id

    async def create(self, token: str = A, **more: Any) -> str:
        answer = await self.call("POST", "/api/task", token, {**CREATE, **more})
        assert answer.status_code == 200, answer.text
        await self.settle()
        task_id: str = answer.json()["id"]
        return task_id

    async def report(self, task_id: str, **body: Any) -> httpx.Response:
        """A report with the callback token of the current attempt."""
        answer = await self.call("PUT", f"/api/task/{task_id}", self.backend.callback(task_id), body)
        await self.settle()
        return answer

    def backend_of(self, task_id: str) -> str:
        """The id of the server that a running task is on."""
        return self.backend.grants[task_id].server_id

    async def settle(self) -> None:
        """Let the background do all that it can do now."""
        for _ in range(20):
            await asyncio.sleep(0)
        await self.dispatch.idle(1.0)

    async def close(self) -> None:
        await self.http.aclose()
        await self.tails.drain()
        await self.tasks.close(0)
        await self.duties.close()
        await self.dispatch.drain(1.0)


class Log:
    """What the access log was told."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})
