"""A browser, and a gateway with its demo servers, both real and both for all tests of this folder."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import browser
from tests.support.program import Program

PROGRAM = browser.binary()  # raises in CI
collect_ignore_glob = [] if PROGRAM else ["test_*.py"]  # a machine without Chromium has nothing to run these in


@dataclass(frozen=True)
class Running:
    """A gateway of `dispatcher dev` and an administrator's token for it."""

    url: str
    token: str


@pytest.fixture(scope="session")
def debugging_url() -> Iterator[str]:
    assert PROGRAM is not None
    with browser.running(PROGRAM) as url:
        yield url


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory: Path = tmp_path_factory.mktemp("gateway")
    program = Program(directory, "dev", "--port", "0")
    try:
        url = program.until(r"API +(http://\S+)")[1]
        program.until("^curl")
        yield Running(url, (directory / ".dispatcher/token").read_text().strip())
    finally:
        program.end()


@pytest.fixture
async def page(debugging_url: str) -> AsyncIterator[browser.Page]:
    async with browser.page(debugging_url) as tab:
        yield tab
