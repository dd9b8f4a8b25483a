"""A token is verified once; what can change is checked on each use."""

from collections.abc import Sequence

import pytest

from dispatcher.auth import SecretKeys, Tokens
from dispatcher.auth.cache import RecentlyUsed
from dispatcher.auth.keys import Key
from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import Unauthorized
from tests.auth.forge import NOW_S, OLD_SECRET, SECRET, claims, token


class CountedKeys(SecretKeys):
    asked = 0

    def verifying(self, kid: str | None) -> Sequence[Key]:
        self.asked += 1
        return super().verifying(kid)


def test_a_known_token_is_not_verified_again() -> None:
    keys = CountedKeys([SECRET])
    tokens = Tokens(keys, clock=ManualClock(NOW_S * 1000))
    first = tokens.authenticate(token())
    assert tokens.authenticate(token()) is first
    assert keys.asked == 1
    with pytest.raises(Unauthorized):
        tokens.authenticate(token()[:-2] + "xx")


def test_a_known_token_still_expires() -> None:
    clock = ManualClock(NOW_S * 1000)
    tokens = Tokens(SecretKeys([SECRET]), clock=clock, leeway_s=5)
    text = token(claims(exp=NOW_S + 10))
    tokens.authenticate(text)
    clock.advance(14_999)
    tokens.authenticate(text)
    clock.advance(1)
    with pytest.raises(Unauthorized):
        tokens.authenticate(text)


def test_a_known_token_is_checked_when_the_clock_was_set_back() -> None:
    text = token(claims(nbf=NOW_S, exp=NOW_S + 600))
    clock = ManualClock(NOW_S * 1000)
    tokens = Tokens(SecretKeys([SECRET]), clock=clock)
    tokens.authenticate(text)
    clock._now_ms -= 6_000
    with pytest.raises(Unauthorized):
        tokens.authenticate(text)


def test_rotation_of_secrets() -> None:
    clock = ManualClock(NOW_S * 1000)
    keys = SecretKeys([OLD_SECRET])
    tokens = Tokens(keys, clock=clock)
    old, foreign = tokens.issue("alice", ["client"], 600), token(key=OLD_SECRET.encode())
    tokens.authenticate(old)
    keys.replace([SECRET, OLD_SECRET])
    new = tokens.issue("alice", ["client"], 600)
    for text in (old, foreign, new, token()):
        tokens.authenticate(text)
    keys.replace([SECRET])
    tokens.authenticate(new)
    for text in (old, foreign):
        with pytest.raises(Unauthorized):
            tokens.authenticate(text)


def test_a_weak_secret_changes_nothing() -> None:
    keys = SecretKeys([SECRET])
    with pytest.raises(ValueError):
        keys.replace([OLD_SECRET, "weak"])
    assert (keys.generation, keys.signing().material) == (0, SECRET)
    assert SECRET not in repr(keys.signing())


def test_the_least_recently_used_entry_goes_first() -> None:
    cache: RecentlyUsed[int] = RecentlyUsed(2)
    cache.put(b"a", 1)
    cache.put(b"b", 2)
    cache.get(b"a")
    cache.put(b"c", 3)
    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c"), len(cache)) == (1, None, 3, 2)


def test_the_cache_is_bounded() -> None:
    tokens = Tokens(SecretKeys([SECRET]), clock=ManualClock(NOW_S * 1000), cache_size=8)
    for number in range(50):
        tokens.authenticate(token(claims(sub=f"u{number}")))
    assert len(tokens._verified) == 8
