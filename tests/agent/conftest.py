"""GPUs are looked at with the library for them, where it is."""

import os
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from dispatcher.agent.models import Models
from tests.agent.resident_models import BIG, BROKEN, HANGS
from tests.agent.scripted import Scripted, scripted
from tests.support.leaks import no_task_leaks

__all__ = ["no_task_leaks"]

if find_spec("pynvml") is None and os.environ.get("CI"):
    raise RuntimeError("not installed: pynvml")
collect_ignore_glob = [] if find_spec("pynvml") else ["test_nvml.py"]


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[Models]:
    (tmp_path / "big.py").write_text(BIG)
    (tmp_path / "hangs.py").write_text(HANGS)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.py").write_text(BROKEN)
    made = Models(tmp_path, lambda pid: 7)
    yield made
    await made.close()


@pytest.fixture
async def gateway() -> AsyncIterator[Scripted]:
    async with scripted() as made:
        yield made
