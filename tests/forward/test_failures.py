"""Every line of the failure table."""

import pytest

from dispatcher.domain.digest import digest_json
from dispatcher.domain.failure import Accepted, Outcome, Verdict
from dispatcher.forward.failures import judge, judge_failure, retry_after_ms
from dispatcher.forward.transport import BrokenAfterSending, CallFailed, NotSent, Reply, TimedOut, TooLarge

NOW_MS = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT


def judged(status: int, body: bytes = b"{}", **headers: str) -> Outcome:
    reply = Reply(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)
    outcome = judge(reply, now_ms=NOW_MS, service_ms=7)
    assert isinstance(outcome, Outcome)
    assert outcome.slot_free
    assert outcome.service_ms == 7
    return outcome


def test_200_with_json_is_the_result_as_it_came() -> None:
    body = b' {"b": 1.50,\n "a": [] } '
    outcome = judged(200, body, content_type="text/plain")
    assert (outcome.verdict, outcome.result, outcome.code) == (Verdict.COMPLETED, body, "")
    assert outcome.digest == digest_json(b'{"a":[],"b":1.5}')


@pytest.mark.parametrize("body", [b"", b"<html>", b"NaN", b'{"a":1e999}', b"[" * 101 + b"]" * 101, b"\x1f\x8b\x08"])
def test_200_without_json_is_unparsable(body: bytes) -> None:
    assert (judged(200, body).verdict, judged(200, body).code) == (Verdict.FAILURE, "BAD_ANSWER")


def test_202_is_accepted() -> None:
    assert judge(Reply(202, {}, b"whatever"), now_ms=NOW_MS, service_ms=1) == Accepted()


@pytest.mark.parametrize(
    ("statuses", "verdict", "code"),
    [
        ((409, 429, 503), Verdict.BUSY, ""),
        ((400, 413, 415, 422), Verdict.FAILED, "REJECTED"),
        ((300, 301, 302, 304, 307, 308), Verdict.FAILURE, "BACKEND_ERROR"),
        ((401, 402, 403, 404, 405, 408, 410, 418, 451, 499), Verdict.FAILURE, "BACKEND_ERROR"),
        ((500, 501, 502, 504, 507, 599), Verdict.FAILURE, "BACKEND_ERROR"),
        ((101, 201, 203, 204, 205, 206, 226), Verdict.FAILURE, "BAD_ANSWER"),
    ],
)
def test_statuses(statuses: tuple[int, ...], verdict: Verdict, code: str) -> None:
    for status in statuses:
        outcome = judged(status)
        assert (status, outcome.verdict, outcome.code) == (status, verdict, code)
        assert str(status) in outcome.text


@pytest.mark.parametrize(
    ("failure", "verdict", "code", "slot_free"),
    [
        (NotSent("the server cannot be reached"), Verdict.NOT_SENT, "BACKEND_UNREACHABLE", True),
        (BrokenAfterSending(), Verdict.LOST, "BACKEND_LOST", False),
        (TimedOut(), Verdict.TIMED_OUT, "TIMEOUT", False),
        (TooLarge(200, {}), Verdict.FAILED, "RESULT_TOO_LARGE", True),
        (TooLarge(500, {}), Verdict.FAILURE, "BACKEND_ERROR", True),
        (TooLarge(503, {"retry-after": "3"}), Verdict.BUSY, "", True),
    ],
)
def test_no_whole_answer(failure: CallFailed, verdict: Verdict, code: str, slot_free: bool) -> None:
    outcome = judge_failure(failure, now_ms=NOW_MS, service_ms=1)
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.code, outcome.slot_free) == (verdict, code, slot_free)


@pytest.mark.parametrize(
    ("value", "rest_ms"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        ("7", 7_000),
        (" 7 ", 7_000),
        ("60", 60_000),
        ("61", 60_000),
        ("1000000", 60_000),
        ("9" * 5_000, 60_000),
        ("-5", 0),
        ("1.5", 0),
        ("1e6", 0),
        ("\u0667", 0),
        ("soon", 0),
        ("Tue, 14 Nov 2023 22:13:45 GMT", 25_000),
        ("Tuesday, 14-Nov-23 22:13:45 GMT", 25_000),
        ("Tue Nov 14 22:13:45 2023", 25_000),
        ("Wed, 15 Nov 2023 22:13:45 GMT", 60_000),
        ("Tue, 14 Nov 2023 22:13:19 GMT", 0),
        ("Tue, 99 Nov 2023 99:99:99 GMT", 0),
    ],
)
def test_retry_after(value: str | None, rest_ms: int) -> None:
    headers = {} if value is None else {"retry-after": value}
    assert retry_after_ms(headers, NOW_MS) == rest_ms
    assert judge(Reply(503, headers, b""), now_ms=NOW_MS, service_ms=1) == Outcome(
        Verdict.BUSY, text="the server is busy (503)", rest_ms=rest_ms, service_ms=1
    )


def test_the_servers_own_error_text_is_shown_short_and_clean() -> None:
    assert judged(422, b'{"error":"image too small"}').text == "the server rejected the task (422): image too small"
    assert judged(500, b'{"error":"CUDA out of memory"}').text == "the server failed (500): CUDA out of memory"
    assert (
        judged(500, b'{"error":"a\\r\\nb\\u001b[31mc\\u2028d\\u202ee"}').text
        == "the server failed (500): a b [31mc d e"
    )
    assert (
        len(judged(400, b'{"error":"' + b"x" * 5_000 + b'"}').text) == len("the server rejected the task (400): ") + 200
    )


@pytest.mark.parametrize(
    "body", [b"Traceback: secret", b'{"error":{"a":1}}', b'{"detail":"x"}', b'["error"]', b'{"error":" "}']
)
def test_nothing_else_of_a_failed_answer_is_shown(body: bytes) -> None:
    assert judged(500, body).text == "the server failed (500)"
    assert judged(404, b'{"error":"x"}').text == "the server answered 404"
