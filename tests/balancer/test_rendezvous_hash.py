"""Stable homes for keys, few moves, weighted shares."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from balancer import Candidate, Pick, rendezvous_hash
from balancer.rendezvous_hash import RendezvousHash, unit_hash
from tests.balancer.fleets import fleet, shares, within_4_sigma

KEYS = [f"session-{number}" for number in range(10_000)]


def home(servers: Sequence[Candidate], key: str, tried: frozenset[str] = frozenset()) -> str:
    return RendezvousHash().choose(servers, Pick(rng=random.Random(1), key=key, tried=tried)).id


def homes(servers: Sequence[Candidate]) -> dict[str, str]:
    return {key: home(servers, key) for key in KEYS}


def test_the_hash_is_the_same_in_every_process_and_version() -> None:
    assert unit_hash("session-1", "server-a") == pytest.approx(0.30861881300417704, abs=1e-15)


def test_the_hash_lies_strictly_between_0_and_1_and_fills_the_range() -> None:
    values = sorted(unit_hash(key, "a") for key in KEYS)
    assert values[0] > 0
    assert values[-1] < 1
    # Kolmogorov-Smirnov distance to the uniform distribution, far below its 1e-6 quantile
    assert max(abs(value - rank / len(values)) for rank, value in enumerate(values)) < 2.7 / math.sqrt(len(values))


@pytest.mark.parametrize("digest", [b"\x00" * 8, b"\xff" * 8])
def test_the_extreme_digests_stay_inside(digest: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous_hash, "blake2b", lambda text, digest_size: SimpleNamespace(digest=lambda: digest))
    assert 0 < unit_hash("k", "a") < 1


def test_equal_hashes_go_to_the_first_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous_hash, "unit_hash", lambda key, server_id: 0.5)
    assert home(fleet([1, 1, 1])[::-1], "k") == "a"


def test_key_and_server_do_not_run_together() -> None:
    assert unit_hash("ab", "c") != unit_hash("a", "bc")


def test_a_key_may_hold_lone_surrogates() -> None:
    assert home(fleet([1, 1]), "\ud800") in "ab"


def test_shares_follow_the_weights() -> None:
    assert within_4_sigma(Counter(homes(fleet([5, 3, 2])).values()), {"a": 0.5, "b": 0.3, "c": 0.2})


def test_a_server_that_joins_takes_its_share_and_moves_no_other_key() -> None:
    before, after = homes(fleet([1] * 7)), homes(fleet([1] * 8))
    moved = {key for key in KEYS if before[key] != after[key]}
    assert {after[key] for key in moved} == {"h"}
    assert len(moved) / len(KEYS) <= 1 / 8 + 0.015


def test_a_server_that_leaves_moves_its_own_keys_only() -> None:
    servers = fleet([1] * 8)
    before, after = homes(servers), homes(servers[1:])
    assert all(before[key] == after[key] for key in KEYS if before[key] != "a")


def test_full_or_tried_walks_to_the_next_best_and_back() -> None:
    servers = fleet([1] * 4)
    first = home(servers, "k")
    second = home(servers, "k", tried=frozenset({first}))
    full = [replace(server, active=server.capacity) if server.id == first else server for server in servers]
    gone = [server for server in servers if server.id != first]
    assert second == home(full, "k") == home(gone, "k") != first
    assert home(servers, "k") == first


def test_a_task_without_a_key_has_no_affinity() -> None:
    assert within_4_sigma(shares(RendezvousHash(), fleet([3, 1]), 10_000), {"a": 0.75, "b": 0.25})
