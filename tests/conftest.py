"""How the suite is shared out among processes (`make test`): whole files, the long ones first."""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

LONG = ("tests/e2e/", "tests/store/test_model.py", "tests/cli/", "tests/docs/", "tests/executor/", "tests/balancer/")
FLEET = tuple(
    f"tests/e2e/test_{name}.py"
    for name in ("capacity", "conservation", "drain", "kills", "operations", "order", "sdk", "shares")
)


class Files(LoadFileScheduling):  # type: ignore[misc]  # it is not typed
    """A file's tests stay together, so that what its fixtures start is started once; so do those of the one fleet."""

    def _split_scope(self, nodeid: str) -> str:
        return "fleet" if nodeid.startswith(FLEET) else nodeid.split("::", 1)[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Files:
    config.option.loadscopereorder = False  # by their number of tests, which puts the long ones last
    return Files(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    name = item.nodeid
    if name.startswith(FLEET):
        return -1
    return next((place for place, start in enumerate(LONG) if name.startswith(start)), len(LONG))
