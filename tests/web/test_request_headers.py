import pytest
from starlette.datastructures import Headers, QueryParams

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import Invalid
from dispatcher.web.query import choice, day, one, whole
from dispatcher.web.request_headers import Preferences, attempt_number, idempotency_key, preferences, traceparent


def _headers(name: str, *values: str) -> Headers:
    return Headers(raw=[(name.encode(), value.encode("latin-1")) for value in values])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Preferences()),
        (["respond-async"], Preferences(respond_async=True)),
        (["wait=10, respond-async"], Preferences(True, 10)),
        (["respond-async", 'wait="10"'], Preferences(True, 10)),
        (["wait=1, wait=9"], Preferences(wait_s=1)),
        (["Wait = 5 ; foo=bar"], Preferences(wait_s=5)),
        (["wait=-1"], Preferences()),
        (["wait=x, return=minimal, ,"], Preferences()),
        (["wait=1e3"], Preferences()),
        (["wait=99999999999"], Preferences()),
    ],
)
def test_preferences(values: list[str], expected: Preferences) -> None:
    assert preferences(_headers("prefer", *values)) == expected


def test_idempotency_keys() -> None:
    assert idempotency_key(Headers()) is None
    assert idempotency_key(_headers("idempotency-key", "a b~")) == "a b~"
    assert idempotency_key(_headers("idempotency-key", "k" * 255)) == "k" * 255
    for bad in ([""], ["k" * 256], ["a\tb"], ["\xe9"], ["a", "a"], ["\x7f"]):
        with pytest.raises(Invalid):
            idempotency_key(_headers("idempotency-key", *bad))


def test_attempt_numbers() -> None:
    assert attempt_number(Headers()) is None
    assert attempt_number(_headers("x-attempt", "12")) == 12
    for bad in (["x"], ["-1"], ["1", "1"], ["9" * 10], [""]):
        with pytest.raises(Invalid):
            attempt_number(_headers("x-attempt", *bad))


def test_trace_contexts_pass_only_when_well_formed() -> None:
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    assert traceparent(_headers("traceparent", good)) == good
    assert traceparent(_headers("traceparent", good, good)) is None
    assert traceparent(_headers("traceparent", "x")) is None


def test_queries() -> None:
    query = QueryParams("a=1&b=x&c=1&c=2&d=%31")
    assert (one(query, "a"), one(query, "z")) == ("1", None)
    assert whole(query, "d", default=0, least=0, most=9) == 1
    assert choice(query, "b", ("x", "y")) == "x"
    for wrong in (
        lambda: one(query, "c"),
        lambda: whole(query, "b", default=0, least=0, most=9),
        lambda: whole(query, "a", default=0, least=2, most=9),
        lambda: choice(query, "b", ("y",)),
    ):
        with pytest.raises(Invalid):
            wrong()


def test_days() -> None:
    clock = ManualClock(1_704_585_599_999)  # the last millisecond of 2024-01-06, UTC
    assert day(QueryParams(""), clock) == "2024-01-06"
    assert day(QueryParams("date=2023-02-28"), clock) == "2023-02-28"
    for bad in ("2023-02-29", "20230228", "2023-2-28", "yesterday", "", "2023-02-28T00:00", "٢٠٢٣-02-28", "0000-01-01"):
        with pytest.raises(Invalid):
            day(QueryParams({"date": bad}), clock)
