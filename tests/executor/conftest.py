from collections.abc import Iterator

import pytest

from tests.executor.servers import FakeQueue, Files, listening


@pytest.fixture
def files() -> Iterator[Files]:
    site = Files()
    with listening(site):
        yield site


@pytest.fixture
def queue() -> Iterator[FakeQueue]:
    site = FakeQueue()
    with listening(site):
        yield site
