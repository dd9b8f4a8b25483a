"""What most tests share: a fleet of three gateways and five servers on one Redis, or one gateway and programs."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dispatcher.store.engine import open_engine
from tests.cli.conftest import Invoke, here, invoke, start
from tests.e2e.fleet import Fleet, running_fleet
from tests.e2e.world import World, world_on
from tests.support.program import SECRET, Program

__all__ = ["here", "invoke", "start"]


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("fleet"), gateways=3, servers=5) as fleet:
        yield fleet


@pytest.fixture
async def world(fleet: Fleet) -> AsyncIterator[World]:
    async with world_on(fleet) as world:
        yield world


@dataclass(frozen=True)
class LiveGateway:
    """`token` makes one: `token("--sub", "ann", "--role", "client")`."""

    url: str
    program: Program
    token: Callable[..., str]
    start: Callable[..., Program]
    environ: dict[str, str]


@pytest.fixture
async def gateway(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    here: Path,
    start: Callable[..., Program],
    invoke: Invoke,
) -> AsyncIterator[LiveGateway]:
    async with open_engine(tmp_path_factory.mktemp("state"), ["wheel"]) as engine:
        environ = {
            "DISPATCHER_REDIS_URL": engine.url,
            "DISPATCHER_JWT_SECRET": SECRET,
            "DISPATCHER_LIMITS__ENABLED": "false",
            "DISPATCHER_SERVER__ENGINE": getattr(request, "param", "hypercorn"),
            "DISPATCHER_DISPATCH__ACCEPTED_LEASE": "3s",
            "DISPATCHER_DISPATCH__DECLINED_WAIT": "2s",
        }
        program = start("serve", "--port", "0", **environ)
        url = program.until(r"listening on (http://\S+)")[1]

        def token(*arguments: str) -> str:
            made: str = invoke("token", *arguments, **environ).stdout.strip()
            return made

        yield LiveGateway(url, program, token, start, environ)
