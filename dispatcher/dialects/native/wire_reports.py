"""What a worker's report on a task means. Pure."""

from dataclasses import dataclass

from dispatcher.dialects.native.requests import UpdateTask
from dispatcher.dialects.native.validation import validate
from dispatcher.domain.digest import digest_bytes, digest_json
from dispatcher.domain.errors import Invalid
from dispatcher.domain.failure import BACKEND_ERROR, WORKER_FAILED, Outcome, Verdict
from dispatcher.web.answer import encode_json
from dispatcher.web.jsonbody import JsonObject

_MOST_TEXT = 2000  # characters of an error that are kept


@dataclass(frozen=True, slots=True)
class Report:
    """An end (`outcome`), or else a sign of life with or without progress, of attempt `attempt` when it is named."""

    outcome: Outcome | None
    progress: float | None
    attempt: int | None


def report(body: JsonObject, header_attempt: int | None) -> Report:
    """Raises Invalid, "Invalid status transition" for what the state machine cannot mean."""
    update = validate(UpdateTask, body.members)
    if update.status is None and update.progress is None:
        raise Invalid("Missing required field: status", field="status")
    _check_combination(update, "result" in body.members)
    if update.attempt is not None and header_attempt is not None and update.attempt != header_attempt:
        raise Invalid("Invalid field attempt: differs from X-Attempt", field="attempt")
    attempt = update.attempt if update.attempt is not None else header_attempt
    match update.status:
        case "COMPLETED":
            raw = body.raw_members.get("result", b"null")
            return Report(Outcome(Verdict.COMPLETED, raw, digest_json(raw)), None, attempt)
        case "FAILED":
            return Report(_failure(update), None, attempt)
        case _:
            return Report(None, update.progress or 0.0, attempt)


def _check_combination(update: UpdateTask, has_result: bool) -> None:
    known = update.status in (None, "PROCESSING", "COMPLETED", "FAILED")
    result_ok = update.status == "COMPLETED" or not has_result or update.result is None
    error_ok = update.status == "FAILED" or (update.error is None and update.retryable is None)
    if not (known and result_ok and error_ok):
        raise Invalid("Invalid status transition", field="status")


def _failure(update: UpdateTask) -> Outcome:
    if isinstance(update.error, dict):
        message = update.error.get("message")
        text = message if isinstance(message, str) else encode_json(update.error).decode()
    else:
        text = update.error or "The server reported a failure"
    text = text[:_MOST_TEXT]
    verdict, code = (Verdict.FAILURE, BACKEND_ERROR) if update.retryable else (Verdict.FAILED, WORKER_FAILED)
    return Outcome(verdict, digest=digest_bytes(verdict.encode(), text.encode()), code=code, text=text)
