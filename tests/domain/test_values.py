"""Ids, digests, clocks and counts."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import ids
from dispatcher.domain.clock import ManualClock, SystemClock
from dispatcher.domain.digest import digest_bytes, digest_json
from dispatcher.domain.failure import BLAMES_SERVER, Verdict
from dispatcher.domain.principal import Owner, Principal, Role
from dispatcher.domain.stats import COUNT_FIELDS, Counts, DayStats


@pytest.mark.parametrize(
    ("make", "prefix"),
    [(ids.new_task_id, "task_"), (ids.new_server_id, "server_"), (ids.new_claim_id, "c_"), (ids.new_nonce, "")],
)
def test_ids_are_128_random_bits_behind_a_prefix(make: object, prefix: str) -> None:
    assert callable(make)
    made = {make() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(re.fullmatch(prefix + "[a-z2-7]{26}", one) and ids.is_id(one) for one in made)
    assert make(lambda n: bytes(n)) == prefix + "a" * 26, "entropy is an argument"
    assert make(lambda n: b"\xff" * n) == prefix + "7" * 25 + "4", "all 128 bits are in it"


@pytest.mark.parametrize("text", ["", "a" * 65, "a b", "a/b", "{a}", "a:b", "a\n", "ä"])
def test_what_cannot_be_an_id(text: str) -> None:
    assert not ids.is_id(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_spelling_does_not_change_a_json_digest(value: object) -> None:
    spellings = [json.dumps(value), json.dumps(value, indent=3, ensure_ascii=False), json.dumps(value, sort_keys=True)]
    assert len({digest_json(text.encode("utf-8", "surrogatepass")) for text in spellings}) == 1


def test_the_value_changes_a_json_digest() -> None:
    texts = [b"1", b'"1"', b"[1]", b"{}", b'{"a":1}', b'{"a":2}', b"[1,2]", b"[2,1]", b"null", b"true"]
    assert len({digest_json(text) for text in texts}) == len(texts)
    for broken in (b"", b"{", b"\xff"):
        with pytest.raises(ValueError):
            digest_json(broken)


def test_a_byte_digest_knows_where_parts_end() -> None:
    assert digest_bytes(b"ab", b"c") != digest_bytes(b"a", b"bc") != digest_bytes(b"abc")
    assert digest_bytes(b"ab", b"c") == digest_bytes(b"ab", b"c")


def test_a_manual_clock_moves_only_when_told_and_never_back() -> None:
    clock = ManualClock(5_000)
    clock.advance(1_500)
    assert (clock.now_ms(), clock.monotonic()) == (6_500, 6.5)
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(-1)


def test_the_system_clock_is_in_milliseconds_and_seconds() -> None:
    clock = SystemClock()
    assert 1_600_000_000_000 < clock.now_ms() < 10_000_000_000_000
    assert clock.monotonic() <= clock.monotonic()


counts = st.builds(Counts, **dict.fromkeys(COUNT_FIELDS, st.integers(0, 1_000)))


@given(counts, counts)
def test_counts_add_up_field_by_field(one: Counts, two: Counts) -> None:
    both = one + two
    assert [getattr(both, f) for f in COUNT_FIELDS] == [getattr(one, f) + getattr(two, f) for f in COUNT_FIELDS]
    assert both.ended == one.ended + two.ended


def test_ratios_of_nothing_are_zero() -> None:
    assert (Counts().average_ms, Counts().success_rate) == (0, 0.0)
    some = Counts(completed=3, failed=1, cancelled=9, timed=4, duration_ms=10)
    assert (some.average_ms, some.success_rate, some.ended) == (2, 0.75, 13)


def test_a_day_is_the_sum_of_its_24_hours() -> None:
    assert len(DayStats("2024-01-01").hours) == 24
    hours = tuple(Counts(created=n) for n in range(24))
    assert DayStats("2024-01-01", hours).total.created == sum(range(24))


def test_a_server_is_blamed_for_its_own_faults_only() -> None:
    innocent = {Verdict.COMPLETED, Verdict.FAILED, Verdict.BUSY, Verdict.RELEASED, Verdict.DECLINED}
    assert set(Verdict) - BLAMES_SERVER == innocent


def test_a_server_token_serves_exactly_its_server() -> None:
    owner = Owner("default", "w")
    worker = Principal(owner, frozenset({Role.SERVER}), server_id="s1")
    assert worker.serves("s1")
    assert not worker.serves("s2")
    assert not Principal(owner, frozenset({Role.CLIENT}), server_id="s1").serves("s1")
    assert not worker.is_admin
    assert worker.rate_key == "default/w"
