"""`dispatcher apikey`."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from dispatcher.store.engine import open_engine
from tests.cli.conftest import Invoke


@pytest.fixture
async def redis_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with open_engine(tmp_path_factory.mktemp("state"), ["wheel"]) as engine:
        yield engine.url


async def test_a_key_is_made_listed_without_its_secret_and_revoked(redis_url: str, invoke: Invoke) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        result = invoke("apikey", *arguments, DISPATCHER_REDIS_URL=redis_url)
        return result.exit_code, result.stdout, result.stderr

    def use() -> None:
        assert run("list") == (0, "", "")
        code, key, told = run("create", "--sub", "ann", "--role", "admin", "--name", "nightly", "--ttl", "1d")
        assert (code, told) == (0, "")
        assert re.fullmatch(r"edk_[0-9a-f]{16}_[0-9a-f]{64}\n", key)
        _, key_id, secret = key.strip().split("_")
        _, listed, _ = run("list")
        id_, role, tenant, sub, made, until, name = listed.strip().split("\t")
        assert (id_, role, tenant, sub, name) == (key_id, "admin", "default", "ann", "nightly")
        assert made < until
        assert secret not in listed
        assert run("revoke", key_id) == (0, "", "")
        code, _, told = run("revoke", key_id)
        assert (code, told) == (1, f"dispatcher: there is no API key {key_id}\n")

    await asyncio.to_thread(use)


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--sub", "a/b", "--role", "client"], "--sub and --tenant"),
        (["--sub", "a", "--tenant", "a:b", "--role", "client"], "--sub and --tenant"),
        (["--sub", "a", "--name", "x\n", "--role", "client"], "--name"),
        (["--sub", "a", "--ttl", "5", "--role", "client"], "--ttl"),
    ],
)
def test_a_wrong_flag(invoke: Invoke, flags: list[str], problem: str) -> None:
    result = invoke("apikey", "create", *flags, DISPATCHER_REDIS_URL="redis://127.0.0.1:1")
    assert result.exit_code == 2
    assert problem in result.stderr
    assert result.stdout == ""


def test_without_a_store(invoke: Invoke) -> None:
    assert invoke("apikey", "list").exit_code == 2
    result = invoke("apikey", "list", DISPATCHER_REDIS_URL="redis://127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
