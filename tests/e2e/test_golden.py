"""Every example of every document, replayed over real HTTP and WebSockets against one gateway process."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.dialects.cloudai import examples as cloudai
from tests.dialects.cluster import examples as cluster
from tests.dialects.farm import examples as farm
from tests.dialects.golden import at, check, fill, timeless
from tests.dialects.jobs import examples as jobs
from tests.dialects.native import examples as native
from tests.e2e import live
from tests.e2e.fleet import running_fleet
from tests.e2e.live_workers import LiveCloudAI, LiveCluster

pytestmark = pytest.mark.e2e

SETTINGS = {"DISPATCHER_CLUSTER__ID": "biting-lip-cluster"}
LASTS = "nothing is waited for: a task that takes seconds ends at once here"
AGE = "the gateway would have to be a week old"
MEANS = "of the means of hours, and all examples are played within one"
NOT_LIVE = {
    "get_task": {"duration": LASTS},
    "list_tasks": {"tasks.0.duration": LASTS},
    "socket_event": {"data.duration": LASTS},
    "cluster_status": {"uptime": AGE},
    "cluster_metrics": {
        "metrics.average_response_time": LASTS,
        "metrics.gpu_utilization.peak": MEANS,
        "metrics.gpu_utilization.minimum": MEANS,
        "metrics.memory_usage.peak": MEANS,
    },
}  # values of the cluster's examples that only manual time brings about; whatever else is exact there is exact here


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_fleet(tmp_path_factory.mktemp("golden"), gateways=1, servers=0, **SETTINGS) as fleet:
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


@pytest.mark.parametrize("name", cloudai.REST)
async def test_cloudai(url: str, name: str) -> None:
    golden = cloudai.REST[name]
    world = LiveCloudAI(url, f"cloudai-{name}")
    async with world.alone():
        known = await cloudai.given(world, golden["given"])
        asked, documented = fill(golden["request"], known), fill(golden["answer"], known)
        answer = await world.call(asked["method"], asked["path"], asked["caller"], asked["body"], prefix="/cloudai")
        assert answer.status_code == golden["status"], answer.text
        check(golden, documented, answer.json(), timeless)


@pytest.mark.parametrize("name", cloudai.SOCKET)
async def test_cloudai_messages(url: str, name: str) -> None:
    golden = cloudai.SOCKET[name]
    world = LiveCloudAI(url, f"cloudai-{name}")
    async with world.alone():
        known = await cloudai.given(world, golden["given"])
        async with world.hearing("/cloudai" + fill(golden["path"], known)) as socket:
            for documented in fill(golden["hear"], known):
                check(golden, documented, await socket.hear(), timeless)


@pytest.mark.parametrize("name", cluster.REST)
async def test_cluster(url: str, name: str) -> None:
    golden = cluster.REST[name]
    world = LiveCluster(url, f"cluster-{name}")
    async with world.alone():
        if golden["given"] == "nothing":
            await world.forgotten()
        known = await cluster.given(world, golden["given"])
        asked, documented = fill(golden["request"], known), fill(golden["answer"], known | world.ids)
        answer = await world.call(asked["method"], asked["path"], asked["caller"], asked["body"])
        assert answer.status_code == golden["status"], answer.text
        _set_aside(name, documented, answer.json())
        check(golden, documented, answer.json(), timeless)


async def test_cluster_event(url: str) -> None:
    world = LiveCluster(url, "cluster-event")
    async with world.alone(), world.hearing("/cluster/ws") as socket:
        known = await cluster.completed_task(world)
        told, documented = await world.event(socket, cluster.EVENT["event"]), fill(cluster.EVENT, known | world.ids)
        _set_aside("socket_event", documented, told)
        assert timeless(told) == timeless(documented)


def test_nothing_else_is_left_out() -> None:
    assert {*cloudai.REST, *cloudai.SOCKET} == set(cloudai.GOLDEN)
    assert {*cluster.REST, "socket_event"} == set(cluster.GOLDEN)
    for name, paths in NOT_LIVE.items():
        exact = cluster.GOLDEN[name].get("exact", ["data"])
        for path in paths:
            assert any(path == one or path.startswith(f"{one}.") for one in exact), (
                f"{name}: {path} is not exact anyway"
            )


def _set_aside(name: str, documented: Any, given: Any) -> None:
    """What is not live in an example has its form alone, and is listed only as long as it is not as documented."""
    for path, why in NOT_LIVE.get(name, {}).items():
        owner, _, member = path.rpartition(".")
        told, found = at(documented, path), at(given, path)
        assert isinstance(found, int | float) if isinstance(told, float) else type(found) is type(told), path
        assert why == MEANS or found != told, f"{name}: {path} is live"  # the one example alone has the mean it shows
        at(documented, owner)[member] = found
