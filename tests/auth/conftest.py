import pytest

from dispatcher.auth import SecretKeys, Tokens
from dispatcher.domain.clock import ManualClock
from tests.auth.forge import NOW_S, SECRET


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_S * 1000)


@pytest.fixture
def tokens(clock: ManualClock) -> Tokens:
    return Tokens(SecretKeys([SECRET]), clock=clock)
