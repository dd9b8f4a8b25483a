"""All three state engines, started for real."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from dispatcher.store.engine import Engine, EngineError, StateInUse, choice, open_engine


async def _count(engine: Engine) -> int:
    async with engine.client() as client:
        return int(await client.incr("runs"))


@pytest.mark.parametrize(("name", "brand"), [("path", ("Redis", "Valkey")), ("wheel", ("Valkey 9",))])
async def test_a_spawned_engine_keeps_its_data(tmp_path: Path, name: str, brand: tuple[str, ...]) -> None:
    async with open_engine(tmp_path, [name]) as engine:
        assert engine.durable
        assert engine.name.startswith(brand)
        assert await _count(engine) == 1
    async with open_engine(tmp_path, [name]) as engine:
        assert await _count(engine) == 2


@pytest.mark.parametrize("order", [("path", "wheel"), ("wheel", "path")])
async def test_the_other_brand_reads_the_same_data(tmp_path: Path, order: Sequence[str]) -> None:
    for run, name in enumerate((*order, *order), start=1):
        async with open_engine(tmp_path, [name]) as engine:
            assert await _count(engine) == run


@pytest.mark.parametrize("name", ["path", "wheel"])
async def test_every_write_is_saved_and_nothing_is_evicted(tmp_path: Path, name: str) -> None:
    async with open_engine(tmp_path, [name]) as engine, engine.client() as client:
        config = await client.config_get("appendonly", "appendfsync", "maxmemory-policy", "port")
        assert config == {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "port": "0"}


async def test_the_engine_is_reachable_by_its_owner_only(tmp_path: Path) -> None:
    async with open_engine(tmp_path, ["wheel"]) as engine:
        socket = Path(engine.url.removeprefix("unix://"))
        assert socket.stat().st_mode & 0o777 == 0o700
        assert socket.parent.stat().st_mode & 0o777 == 0o700


async def test_memory_says_that_nothing_is_saved(tmp_path: Path) -> None:
    async with open_engine(tmp_path, ["memory"]) as engine:
        assert not engine.durable
        assert "nothing is saved" in engine.name
        assert [await _count(engine), await _count(engine)] == [1, 2]
    async with open_engine(tmp_path, ["memory"]) as engine:
        assert await _count(engine) == 1


async def test_memory_never_hides_saved_tasks(tmp_path: Path) -> None:
    async with open_engine(tmp_path, ["wheel"]) as engine:
        await _count(engine)
    with pytest.raises(EngineError, match="holds saved tasks"):
        async with open_engine(tmp_path, ["memory"]):
            pass


async def test_the_order_is_path_then_wheel_then_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "redis-server"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    async with open_engine(tmp_path / "state") as engine:
        assert "valkey-server" in engine.name, "a binary that will not start gives way to the next engine"
    monkeypatch.setitem(choice.FINDERS, "wheel", lambda: None)
    async with open_engine(tmp_path / "other") as engine:
        assert not engine.durable


async def test_a_directory_has_one_holder(tmp_path: Path) -> None:
    async with open_engine(tmp_path, ["memory"]):
        with pytest.raises(StateInUse, match=rf"process {os.getpid()}\b"):
            async with open_engine(tmp_path, ["memory"]):
                pass


async def test_a_path_too_long_for_a_socket_is_no_hindrance(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    async with open_engine(deep, ["wheel"]) as engine:
        assert len(engine.url) < len(str(deep))
        assert await _count(engine) == 1
