"""Which stores a production gateway refuses."""

import pytest

from dispatcher.app.durability import durability_problems

GOOD = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


def _problems(facts: dict[str, str], loss_window_ms: int = 0, *, asserted: bool = False) -> list[str]:
    return durability_problems(facts, loss_window_ms=loss_window_ms, asserted=asserted)


def test_a_store_that_saves_every_write_is_accepted() -> None:
    assert _problems(GOOD) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"appendonly": "no"}, "appendonly"),
        ({"appendfsync": "no"}, "appendfsync no"),
        ({"appendfsync": "everysec"}, "loss_window"),
        ({"maxmemory-policy": "allkeys-lru"}, "noeviction"),
    ],
)
def test_a_store_that_may_lose_tasks_is_refused(change: dict[str, str], word: str) -> None:
    (problem,) = _problems(GOOD | change)
    assert word in problem


def test_a_loss_window_accepts_everysec_and_nothing_worse() -> None:
    everysec = GOOD | {"appendfsync": "everysec"}
    assert _problems(everysec, 2_000) == []
    assert _problems(everysec, 1_999) != []
    assert _problems(GOOD | {"appendfsync": "no"}, 60_000) != []


def test_a_store_that_hides_its_configuration_needs_somebodys_word() -> None:
    (problem,) = _problems({"engine": "redis"})
    assert "durability_asserted" in problem
    assert _problems({"engine": "redis"}, asserted=True) == []
