"""Every example of every document, replayed over real HTTP and WebSockets against one gateway process."""

from collections.abc import Iterator

import pytest

from tests.dialects.farm import examples as farm
from tests.dialects.golden import check, fill, timeless
from tests.dialects.jobs import examples as jobs
from tests.dialects.native import examples as native
from tests.e2e import live
from tests.e2e.fleet import running_fleet

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_fleet(tmp_path_factory.mktemp("golden"), gateways=1, servers=0) as fleet:
        yield fleet.urls[0]


@pytest.mark.parametrize("name", native.GOLDEN)
async def test_native(url: str, name: str) -> None:
    golden = native.GOLDEN[name]
    async with live.native(url) as world:
        known = await native.given(world, golden["given"])
        asked, documented = fill(golden["request"], known), fill(golden["answer"], known)
        answer = await world.call(asked["method"], asked["path"], asked["token"], asked["body"])
        assert answer.status_code == golden["status"], answer.text
        check(golden, documented, answer.json(), timeless)


@pytest.mark.parametrize("name", jobs.GOLDEN)
async def test_jobs(url: str, name: str) -> None:
    golden = jobs.GOLDEN[name]
    world = live.LiveJobs(url, "default")
    known = await jobs.given(world, golden["given"])
    asked, documented = fill(golden["request"], known), fill(golden["answer"], known)
    answer = await world.call(asked["method"], asked["path"], asked["caller"], asked["body"], prefix="/jobs")
    assert answer.status_code == golden["status"], answer.text
    if documented is not None:
        check(golden, documented, answer.json(), timeless)
    await world.close()


@pytest.mark.parametrize("name", farm.REST)
async def test_farm(url: str, name: str) -> None:
    golden = farm.REST[name]
    world = live.LiveFarm(url, name)
    async with world.connected() as socket:
        known = await farm.given(world, socket, golden["given"])
        asked, documented = fill(golden["request"], known), fill(golden["answer"], known)
        answer = await world.call(asked["method"], asked["path"], asked["caller"], asked["body"], prefix="/farm")
        assert answer.status_code == golden["status"], answer.text
        if documented is not None:
            check(golden, documented, answer.json(), timeless)
    await world.close()


@pytest.mark.parametrize("name", farm.SOCKET)
async def test_farm_messages(url: str, name: str) -> None:
    golden = farm.SOCKET[name]
    world = live.LiveFarm(url, name)
    async with world.connected() as socket:
        known = await farm.given(world, socket, golden["given"])
        if golden["say"] is not None:
            socket.send(fill(golden["say"], known))
        if golden["hear"] is not None:
            check(golden, fill(golden["hear"], known), await socket.hear(), timeless)
        await world.shows(known["task_uuid"], **golden.get("then", {}))
    await world.close()
