"""Calls to servers: predict, cancel, probe."""

import json
import logging
import secrets
from collections.abc import Callable

from dispatcher.domain.clock import Clock, SystemClock
from dispatcher.domain.failure import BACKEND_UNREACHABLE, TIMEOUT, Accepted, Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.server import Server
from dispatcher.forward.failures import judge, judge_failure
from dispatcher.forward.predict import JSON_HEADERS, predict_body, predict_headers, spec_of
from dispatcher.forward.transport import BrokenAfterSending, CallFailed, Transport
from dispatcher.forward.url import parse_url

SIDE_CALL_S = 2.0  # limit of a probe or a cancel
_SIDE_CALL_BYTES = 64 * 1024
_log = logging.getLogger(__name__)


class HttpForwarder:
    """Implements `service.ports.Forwarder` over a `Transport`.

    `open_key(server_id, sealed)` opens a sealed API key (ValueError when it cannot), `callback_token(task_id, fence,
    nonce)` makes the token of an attempt; `callback_url` is where servers report on a task, with `{id}`
    for the id of the task.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        open_key: Callable[[str, bytes], str],
        callback_token: Callable[[str, int, str], str],
        callback_url: str,
        result_max_bytes: int = 8 * 1024 * 1024,
        clock: Clock | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._transport = transport
        self._open_key = open_key
        self._callback_token = callback_token
        self._callback_url = callback_url
        self._result_max_bytes = result_max_bytes
        self._clock = clock or SystemClock()
        self._entropy = entropy

    async def predict(self, grant: Grant, server: Server, *, remaining_ms: int) -> Outcome | Accepted:
        """Send the attempt and judge the answer by the failure table. Never raises but CancelledError."""
        if remaining_ms <= 0:
            return Outcome(Verdict.TIMED_OUT, code=TIMEOUT, text="the time was up before the task could be sent")
        try:
            key = self._authorization(server, server.endpoints.predict)
        except ValueError:
            return Outcome(Verdict.NOT_SENT, code=BACKEND_UNREACHABLE, text="the server's API key cannot be used")
        spec = spec_of(grant)
        headers = predict_headers(
            grant,
            spec,
            callback_url=self._callback_url.replace("{id}", grant.task_id),
            callback_token=self._callback_token(grant.task_id, grant.fence, grant.nonce),
            remaining_ms=remaining_ms,
            entropy=self._entropy,
        )
        started = self._clock.monotonic()
        try:
            reply = await self._transport.request(
                "POST",
                server.endpoints.predict,
                headers | key,
                predict_body(grant, spec),
                timeout_s=remaining_ms / 1000,
                max_bytes=self._result_max_bytes,
            )
        except CallFailed as failure:
            return judge_failure(failure, now_ms=self._clock.now_ms(), service_ms=self._since(started))
        except Exception:  # noqa: BLE001 - a client that fails in a new way must not lose the attempt's end
            _log.exception("predict call of task %s to %s failed in an unknown way", grant.task_id, server.id)
            broken = BrokenAfterSending()
            return judge_failure(broken, now_ms=self._clock.now_ms(), service_ms=self._since(started))
        return judge(reply, now_ms=self._clock.now_ms(), service_ms=self._since(started))

    async def cancel(self, server: Server, task_id: str, fence: int) -> bool:
        """Ask the server to stop an attempt, within 2 s. True for a 2xx; False also when it has no such endpoint."""
        body = json.dumps({"taskId": task_id, "attempt": fence}).encode()
        return await self._side_call(server, "POST", server.endpoints.cancel, body)

    async def probe(self, server: Server) -> bool:
        """True when `endpoints.health` answers 2xx within 2 s."""
        return await self._side_call(server, "GET", server.endpoints.health, b"")

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def _side_call(self, server: Server, method: str, url: str | None, body: bytes) -> bool:
        if url is None:
            return False
        try:
            headers = JSON_HEADERS | self._authorization(server, url)
            reply = await self._transport.request(
                method, url, headers, body, timeout_s=SIDE_CALL_S, max_bytes=_SIDE_CALL_BYTES
            )
        except (CallFailed, ValueError):
            return False
        return 200 <= reply.status < 300

    def _authorization(self, server: Server, url: str) -> dict[str, str]:
        """The header with the server's API key; none for a URL of another origin than `endpoints.predict`.

        Raises ValueError for a malformed URL, and for a key that cannot be opened or would break the header.
        """
        if parse_url(url).origin != parse_url(server.endpoints.predict).origin or not server.sealed_key:
            return {}
        key = self._open_key(server.id, server.sealed_key)
        if not (key.isascii() and key.isprintable()):
            raise ValueError("not a header value")
        return {"Authorization": f"Bearer {key}"}

    def _since(self, started: float) -> int:
        return round((self._clock.monotonic() - started) * 1000)
