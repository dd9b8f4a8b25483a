"""The executor's side of the job queue's API."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.executor.errors import Refused
from dispatcher.executor.http import Http
from dispatcher.executor.job import Report
from dispatcher.executor.options import Options

MOST_ANSWER = 64 << 20  # bytes: a job may show its output, and JSON may spell a byte in six
ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job as it came, and for how long it is held without a heartbeat; None where the queue does not say."""

    fields: Any
    lease_s: float | None


class Queue:
    """Claim, heartbeat, complete, fail. All raise Unreachable and Refused."""

    def __init__(self, http: Http, options: Options) -> None:
        self._http = http
        self._url = options.url.rstrip("/")
        self._token = options.token
        self._name = options.executor_id
        self._wait_s = options.wait_s

    async def claim(self, *, wait: bool) -> Claimed | None:
        """The next job, None when there is none. With `wait` a queue that can may hold the answer back."""
        prefer = {"Prefer": f"wait={self._wait_s}"} if wait else {}
        fields, headers = await self._call("POST", "/jobs/claim", {}, prefer, read_s=ANSWER_S + self._wait_s)
        return None if fields is None else Claimed(fields, _seconds(headers.get("x-lease-seconds", "")))

    async def heartbeat(self, job_id: str) -> None:
        """Say that the job is still running here. Refused with 404: it is not ours any more."""
        await self._call("PUT", f"/jobs/{job_id}/heartbeat", {})

    async def report(self, job_id: str, report: Report) -> None:
        """Say how the job ended. A repeat of the same end is taken again."""
        fields: dict[str, Any] = {"stdout": report.stdout, "stderr": report.stderr}
        if report.exit_code is not None:
            fields["exit_code"] = report.exit_code
        if report.error is None:
            await self._call("PUT", f"/jobs/{job_id}/complete", fields)
        else:
            await self._call("PUT", f"/jobs/{job_id}/fail", {**fields, "error_message": report.error})

    async def _call(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        *,
        read_s: float = ANSWER_S,
    ) -> tuple[Any, Mapping[str, str]]:
        text = json.dumps({"executor_id": self._name, **fields}, ensure_ascii=False).encode()
        sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token}"
        sent["Content-Length"] = str(len(text))
        async with self._http.open(method, self._url + path, sent, body=text, read_s=read_s) as reply:
            try:
                answer = await reply.body(MOST_ANSWER)
                found = json.loads(answer) if answer else None
            except (ValueError, RecursionError):
                found = None
        if reply.status == 204:
            return None, reply.headers
        if not 200 <= reply.status < 300:
            raise Refused(reply.status, _message(found))
        return found if found is not None else {}, reply.headers


def _seconds(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 < found < math.inf else None


def _message(answer: Any) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    return error[:200] if isinstance(error, str) else "without a reason"
