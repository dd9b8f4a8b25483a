"""Retries and refusals, as pure generators."""

import random

import pytest

from dispatcher_sdk.errors import (
    BY_STATUS,
    BadRequest,
    ConnectionFailed,
    DispatcherError,
    InvalidAnswer,
    RateLimited,
    RequestTimeout,
    ServerError,
    StatusError,
)
from dispatcher_sdk.flows.send import call, delay, segment
from dispatcher_sdk.flows.steps import Options, Response
from tests.sdk.script import answer, options, pauses, play, requests


def test_a_call_carries_token_and_time_limit() -> None:
    result, steps = play(call(options(timeout=7.0), "GET", "/x", query={"a": 1, "b": None}), answer(200, {"ok": 1}))
    (request,) = requests(steps)
    assert result == {"ok": 1}
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.query == {"a": "1"}
    assert request.timeout == 7.0


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_repeatable_request_is_retried_with_growing_pauses(status: int) -> None:
    _, steps = play(call(options(), "GET", "/x"), answer(status), answer(status), answer(200))
    assert len(requests(steps)) == 3
    assert pauses(steps) == [0.25, 0.5]  # the middles of [0, 0.5] and [0, 1]


def test_retries_end_after_the_limit_with_the_last_error() -> None:
    with pytest.raises(ServerError) as caught:
        play(call(options(max_retries=1), "GET", "/x"), answer(503), answer(502, {"error": "last"}))
    assert caught.value.status == 502
    assert caught.value.error == "last"


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
def test_other_refusals_are_not_retried(status: int) -> None:
    with pytest.raises(StatusError):
        play(call(options(), "GET", "/x"), answer(status))


@pytest.mark.parametrize("failure", [answer(503), answer(429), ConnectionFailed("broke", sent=True)])
def test_an_unkeyed_post_is_never_sent_twice(failure: Response | DispatcherError) -> None:
    with pytest.raises(DispatcherError):
        play(call(options(), "POST", "/x"), failure)


def test_an_unkeyed_post_of_which_nothing_left_is_sent_again() -> None:
    _, steps = play(call(options(), "POST", "/x"), ConnectionFailed("refused", sent=False), answer(200))
    assert len(requests(steps)) == 2


def test_a_keyed_post_is_retried_under_the_same_key() -> None:
    flow = call(options(), "POST", "/x", headers={"Idempotency-Key": "k"})
    _, steps = play(flow, ConnectionFailed("broke", sent=True), answer(503), answer(200))
    assert [request.headers["Idempotency-Key"] for request in requests(steps)] == ["k", "k", "k"]


def test_a_time_out_is_not_retried() -> None:
    with pytest.raises(RequestTimeout):
        play(call(options(), "GET", "/x"), RequestTimeout("late"))


def test_retry_after_is_honoured_with_jitter_on_top_and_capped() -> None:
    _, steps = play(
        call(options(), "GET", "/x"),
        answer(429, retry_after="7"),
        answer(429, retry_after="3600"),
        answer(200),
    )
    assert pauses(steps) == [7.25, 60.5]


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2026 07:28:00 GMT", "-5", "1e9", "soon", ""])
def test_a_retry_after_that_is_no_number_of_seconds_counts_as_absent(header: str) -> None:
    with pytest.raises(RateLimited) as caught:
        play(call(options(max_retries=0), "GET", "/x"), answer(429, retry_after=header))
    assert caught.value.retry_after is None


def test_the_jitter_is_full_and_bounded() -> None:
    given = Options(rng=random.Random(1))
    spread = [delay(given, attempt, None) for attempt in range(60) for _ in range(20)]
    assert all(0.0 <= seconds <= 8.0 for seconds in spread)
    assert min(spread) < 0.3
    assert max(spread) > 7.0


@pytest.mark.parametrize(("status", "kind"), [*BY_STATUS.items(), (413, StatusError), (500, ServerError)])
def test_every_status_has_its_error_with_all_the_answer_says(status: int, kind: type[StatusError]) -> None:
    refusal = {"error": "Phrase", "details": "Text", "code": "A_CODE", "requestId": "req-1"}
    with pytest.raises(kind) as caught:
        play(call(options(max_retries=0), "GET", "/x"), answer(status, refusal))
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.error, error.details) == (status, "Phrase", "Text")
    assert (error.code, error.request_id) == ("A_CODE", "req-1")
    assert str(error) == f"{status} Phrase: Text (A_CODE, request req-1)"


@pytest.mark.parametrize("text", [b"<html>Bad gateway</html>", b"", b"[]", b"NaN"])
def test_a_refusal_by_something_else_is_an_error_of_the_tree_as_well(text: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        play(call(options(), "GET", "/x"), Response(400, {"x-request-id": "req-2"}, text))
    assert caught.value.code is None
    assert caught.value.request_id == "req-2"


@pytest.mark.parametrize("text", [b"<html>hello</html>", b"", b'{"a":NaN}', b"[" * 200_000])
def test_a_success_without_json_is_an_invalid_answer(text: bytes) -> None:
    with pytest.raises(InvalidAnswer):
        play(call(options(), "GET", "/x"), Response(200, {}, text))


def test_a_redirect_is_a_refusal() -> None:
    with pytest.raises(StatusError):
        play(call(options(), "GET", "/x"), answer(302, location="https://elsewhere.example"))


def test_an_id_cannot_leave_its_path_segment() -> None:
    assert segment("a/../b?c#d") == "a%2F..%2Fb%3Fc%23d"
    for bad in ("", ".", ".."):
        with pytest.raises(ValueError, match="is no id"):
            segment(bad)


def test_no_token_no_header() -> None:
    _, steps = play(call(Options(), "GET", "/x"), answer(200))
    assert "Authorization" not in requests(steps)[0].headers


def test_secrets_stay_out_of_reprs() -> None:
    given = options()
    _, steps = play(call(given, "POST", "/x", body={"apiKey": "secret"}), answer(200))
    assert "secret" not in repr(given)
    assert "secret" not in repr(steps)
