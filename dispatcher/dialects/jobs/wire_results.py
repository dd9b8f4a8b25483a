"""What executors report, between the wire and the domain. Pure."""

import json
from typing import Any

from dispatcher.dialects.jobs.requests import CompleteJob, FailJob
from dispatcher.domain.failure import WORKER_FAILED, Outcome, Verdict
from dispatcher.domain.task import Task
from dispatcher.web.answer import encode_json

KEPT = 1_048_576  # bytes of each output
KEPT_MESSAGE = 4_000  # characters

SAME = "reported"  # two reports of one end are the same, whatever output they bring: the first one counts


def cut(text: str, most: int = KEPT) -> tuple[str, bool]:
    """The beginning of a text: at most `most` bytes of UTF-8, whole characters; and whether something is missing."""
    if len(text) * 4 <= most:
        return text, False
    raw = text.encode()
    if len(raw) <= most:
        return text, False
    return raw[:most].decode("utf-8", "ignore"), True


def _result(report: CompleteJob | FailJob) -> bytes:
    stdout, stdout_cut = cut(report.stdout)
    stderr, stderr_cut = cut(report.stderr)
    return encode_json(
        {
            "stdout": stdout,
            "stderr": stderr,
            "exit_code": report.exit_code,
            "stdout_truncated": stdout_cut,
            "stderr_truncated": stderr_cut,
        }
    )


def completed(report: CompleteJob) -> Outcome:
    return Outcome(Verdict.COMPLETED, _result(report), SAME)


def failed(report: FailJob) -> Outcome:
    text = (report.error_message or "The executor reported a failure")[:KEPT_MESSAGE]
    return Outcome(Verdict.FAILED, _result(report), SAME, code=WORKER_FAILED, text=text)


def output_of(task: Task) -> dict[str, Any]:
    """stdout, stderr, exit_code and what was cut, of a job that ended by a report; empty for any other."""
    found: dict[str, Any] = json.loads(task.result) if task.result else {}
    return found
