"""The predict protocol over HTTP: the gateway calls, this answers."""

import hmac
import time
from collections.abc import Awaitable, Callable

from dispatcher_sdk import _json
from dispatcher_sdk.backend.calls import Calls
from dispatcher_sdk.backend.http_server import HttpRequest, HttpResponse, HttpServer
from dispatcher_sdk.backend.job import BadJob, Outcome, decode
from dispatcher_sdk.backend.membership import Membership

VERBS = ("predict", "health", "metrics", "cancel")
CANCEL_GRACE = 1.0  # seconds that a cancelled call may take to end; the gateway waits two for the answer


class Push:
    """Routes of a server that is called.

    POST /predict and POST /cancel need the server's key as a bearer token; GET /health and GET /metrics are open and
    tell nothing about tasks. With `accept_only`, /predict answers 202 and the end goes to the callback.
    """

    def __init__(
        self,
        calls: Calls,
        api_key: str,
        figures: Callable[[], dict[str, float]],
        *,
        accept_only: bool = False,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        cancel_grace: float = CANCEL_GRACE,
    ) -> None:
        self._calls = calls
        self._expected = f"Bearer {api_key}".encode()
        self._figures = figures
        self._accept_only = accept_only
        self._now_ms = now_ms
        self._cancel_grace = cancel_grace
        self._routes: dict[str, tuple[str, bool, Callable[[HttpRequest], Awaitable[HttpResponse]]]] = {
            "/predict": ("POST", True, self._predict),
            "/cancel": ("POST", True, self._cancel),
            "/health": ("GET", False, self._health),
            "/metrics": ("GET", False, self._metrics),
        }

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        route = self._routes.get(request.path)
        if route is None:
            return _error(404, "Not found")
        method, protected, answer = route
        if request.method != method:
            return _error(405, "Method not allowed", {"Allow": method})
        shown = request.headers.get("authorization", "").encode("latin-1")
        if protected and not hmac.compare_digest(shown, self._expected):
            return _error(401, "Unauthorized", {"WWW-Authenticate": "Bearer"})
        return await answer(request)

    async def _predict(self, request: HttpRequest) -> HttpResponse:
        try:
            job = decode(request.headers, request.body, self._now_ms())
        except BadJob as error:
            return _error(400, str(error))
        admitted = self._calls.admit(job)
        if isinstance(admitted, Outcome):
            return _answer(admitted)
        if self._accept_only:
            return HttpResponse(202, b'{"status":"accepted"}')
        return _answer(await admitted.outcome())

    async def _cancel(self, request: HttpRequest) -> HttpResponse:
        try:
            fields = _json.loads(request.body)
            task_id, attempt = fields["taskId"], fields.get("attempt")
        except (ValueError, TypeError, KeyError, AttributeError):
            return _error(400, "expected a JSON object with taskId")
        if await self._calls.cancel(str(task_id), attempt if isinstance(attempt, int) else None, self._cancel_grace):
            return HttpResponse(200, b'{"running":false}')
        return _error(409, "still running")  # a 2xx would free the slot while the work goes on

    async def _health(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, b'{"status":"healthy"}')

    async def _metrics(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, _json.dumps({"activeTasks": self._calls.active, **self._figures()}))


class Served:
    """The transport of a server that is called: `push` behind a listening socket. `url` is where the gateway finds it,
    by default the address that it listens on."""

    def __init__(self, push: Push, host: str, port: int, url: str | None) -> None:
        self._server = HttpServer(push.handle)
        self._host = host
        self._port = port
        self._url = url

    async def open(self) -> dict[str, str]:
        """Listen. Raises OSError for a taken port."""
        port = await self._server.start(self._host, self._port)
        host = f"[{self._host}]" if ":" in self._host else self._host
        url = (self._url or f"http://{host}:{port}").rstrip("/")
        return {verb: f"{url}/{verb}" for verb in VERBS}

    async def work(self, membership: Membership) -> None:
        """Nothing to do: work comes in as requests."""

    async def drain(self) -> None:
        """Nothing to do: the gateway calls no more, and a late call is answered that there is no room."""

    async def abandon(self) -> None:
        """Nothing to do: the gateway sees its calls break."""

    async def close(self, grace: float) -> None:
        """Stop listening."""
        await self._server.close(grace)


def _answer(outcome: Outcome) -> HttpResponse:
    return HttpResponse(outcome.status, outcome.body, {"Retry-After": "1"} if outcome.status == 503 else {})


def _error(status: int, error: str, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(status, _json.dumps({"error": error}), headers or {})
