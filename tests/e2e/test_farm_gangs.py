"""Distributed tasks of AI Farm: clients of the document on two gateways, and what becomes of their ranks."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from socket import SHUT_RDWR
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e import documented_farm_client as documented
from tests.e2e.fleet import Fleet, GatewayProcess, running_fleet, token

pytestmark = pytest.mark.e2e

LEASE_S = 2
WITHIN_S = LEASE_S + 2  # a lost rank is dealt with
RESULT = {"metrics": {"final_loss": 0.5}, "checkpoint_path": "/m.pt"}


class Farm(documented.Farm):
    """On the main port of a gateway."""

    def __init__(self, gateway: str) -> None:
        super().__init__(gateway.removeprefix("http://"), token("ann"))

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return super().ask(method, f"/farm{path}", body)

    def gang(self, size: int) -> str:
        return self.create(distributed=True, n_clients=size)

    def until(self, task_id: str, holds: Callable[[Any], bool], within_s: float = 10) -> Any:
        deadline = time.monotonic() + within_s
        while not holds(task := self.task(task_id)):
            assert time.monotonic() < deadline, f"it stays {task}"
            time.sleep(0.02)  # another process: nothing to wait on but its answers
        return task


class Trainer(documented.Client):
    """A client whose heartbeats go on by themselves."""

    def __init__(self, gateway: str, name: str) -> None:
        super().__init__(f"{gateway.removeprefix('http://')}/farm", token(name, "server"), name)
        self._silent = threading.Event()
        self._beats = threading.Thread(target=self._keep_beating)

    def __enter__(self) -> "Trainer":
        super().__enter__()
        self._beats.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.fall_silent()
        super().__exit__(*error)

    def fall_silent(self) -> None:
        self._silent.set()
        self._beats.join()

    def die(self) -> None:
        """Without a word."""
        self.fall_silent()
        self.socket.socket.shutdown(SHUT_RDWR)

    def ask(self) -> None:
        self.say("task_request")

    def given(self) -> Any:
        """The task that was asked for."""
        message = self.hear()
        assert message["type"] == "task", message
        return message["data"]

    def told(self, action: str, task_id: str, within_s: float = 10) -> None:
        began = time.monotonic()
        message = self.hear()
        assert (message["type"], message.get("action"), message.get("task_id")) == ("control", action, task_id)
        assert time.monotonic() - began <= within_s

    def hears_nothing(self, for_s: float) -> None:
        with pytest.raises(TimeoutError):
            self.socket.recv(timeout=for_s)

    def _keep_beating(self) -> None:
        while not self._silent.wait(0.4):
            self.beat()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    environ = {"DISPATCHER_FARM__LEASE": f"{LEASE_S}s"}
    with running_fleet(tmp_path_factory.mktemp("gangs"), gateways=2, servers=0, **environ) as fleet:
        yield fleet


@pytest.fixture
def farm(fleet: Fleet) -> Farm:
    return Farm(fleet.urls[0])


@pytest.fixture
def trainers(fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Callable[..., list[Trainer]]]:
    """Connects so many clients, in turn to one gateway and the other, or to one."""
    number = iter(range(100))
    with ExitStack() as open_ones:

        def connect(count: int, gateway: str | None = None) -> list[Trainer]:
            return [
                open_ones.enter_context(Trainer(gateway or fleet.urls[n % 2], f"{request.node.name[:60]}-{n}"))
                for n, _ in zip(number, range(count), strict=False)
            ]

        yield connect


Connect = Callable[..., list[Trainer]]


def started(farm: Farm, clients: list[Trainer]) -> tuple[str, list[Trainer]]:
    """A distributed task on these clients; who has which rank."""
    task_id = farm.gang(len(clients))
    for client in clients:
        client.ask()
    ranked = {}
    for client in clients:
        task = client.given()
        assert (task["id"], task["config"]["world_size"]) == (task_id, len(clients))
        ranked[task["config"]["rank"]] = client
    return task_id, [ranked[rank] for rank in range(len(clients))]


def completed(farm: Farm, task_id: str, ranks: list[Trainer]) -> None:
    for client in ranks:
        assert client.finish(task_id) is True
    assert farm.task(task_id)["status"] == "completed"


def test_it_starts_when_all_have_asked_and_completes_when_all_have(farm: Farm, trainers: Connect) -> None:
    clients = trainers(3)
    task_id = farm.gang(3)
    clients[0].ask()
    clients[1].ask()
    clients[0].hears_nothing(1.2)
    assert farm.task(task_id)["status"] == "pending"
    clients[2].ask()
    tasks = [(client.given(), client) for client in clients]
    assert {task["id"] for task, _ in tasks} == {task_id}
    ranked = {task["config"]["rank"]: (task["config"], client) for task, client in tasks}
    assert sorted(ranked) == [0, 1, 2]
    for config, _ in ranked.values():
        meeting = (config["world_size"], config["master_addr"], config["master_port"], config["attempt"])
        assert meeting == (3, "127.0.0.1", 29_500, 1)
    for rank, (_, client) in ranked.items():
        client.report(task_id, 30.0 * (rank + 1), loss=rank)
    running = farm.until(task_id, lambda task: task["progress"] == 60)
    assert (running["status"], running["metrics"]) == ("running", {"loss": 0})
    for rank in (0, 2):
        assert ranked[rank][1].finish(task_id) is True
    assert farm.task(task_id)["status"] == "running"
    ranked[1][1].say("task_result", task_id=task_id, status="completed", metrics={"final_loss": 9})
    assert ranked[1][1].hear()["received"] is True
    done = farm.task(task_id)
    assert (done["status"], done["progress"], done["metrics"]["final_loss"]) == ("completed", 100, 0.0018)


def test_a_failed_rank_stops_the_others_and_fails_the_task(farm: Farm, trainers: Connect) -> None:
    task_id, ranks = started(farm, trainers(3))
    assert ranks[2].finish(task_id, "failed") is True
    for rank in (0, 1):
        ranks[rank].told("stop", task_id, 1)
    assert farm.task(task_id)["status"] == "failed"
    assert ranks[0].finish(task_id, "completed") is False
    assert ranks[1].finish(task_id, "stopped") is False
    assert farm.task(task_id)["status"] == "failed"
    again, ranks = started(farm, ranks)  # all of them are free
    completed(farm, again, ranks)


def test_a_lost_rank_sends_the_task_to_whoever_asks(farm: Farm, trainers: Connect) -> None:
    clients = trainers(3)
    spare = clients.pop()
    task_id, (zero, one) = started(farm, clients)
    one.report(task_id, 50)
    one.die()
    zero.told("stop", task_id, WITHIN_S)
    assert farm.task(task_id)["status"] == "pending"
    spare.ask()
    (other,) = trainers(1)
    other.ask()
    new = {task["config"]["rank"]: client for client in (spare, other) for task in [client.given()]}
    assert sorted(new) == [0, 1]
    assert farm.task(task_id)["attempt"] == 2
    assert zero.finish(task_id) is False, "it no longer has the task"
    single = farm.create()
    assert zero.next_task()["id"] == single, "its late word has freed it"
    assert zero.finish(single) is True
    with Trainer(f"http://{farm.server}", one.id) as back:
        assert back.finish(task_id) is False
        completed(farm, task_id, [new[1], new[0]])


@pytest.mark.bench  # a third gateway, for one setting
def test_a_silent_rank_fails_a_task_that_must_not_restart(fleet: Fleet, trainers: Connect) -> None:
    strict = GatewayProcess(fleet.redis_url, fleet.directory, **fleet.environ, DISPATCHER_FARM__GANG_RESTART="false")
    try:
        strict.until_ready()
        farm = Farm(strict.url)
        task_id, ranks = started(farm, trainers(3))
        ranks[0].fall_silent()  # and its socket stays open
        for rank in (1, 2):
            ranks[rank].told("stop", task_id, WITHIN_S)
        failed = farm.task(task_id)
        assert (failed["status"], failed["attempt"]) == ("failed", 1)
        assert [ranks[rank].finish(task_id, "stopped") for rank in (1, 2)] == [False, False]
    finally:
        strict.kill()


def test_tasks_that_each_need_all_clients_do_not_block_each_other(fleet: Fleet, trainers: Connect) -> None:
    clients = trainers(3)
    farms = [Farm(url) for url in fleet.urls]
    tasks = [farms[n % 2].gang(size) for n, size in enumerate((3, 3, 2, 3))]

    def work(client: Trainer) -> None:
        with suppress(TimeoutError, ConnectionClosed, OSError):  # all is done, and its connection was ended
            train(client)

    def train(client: Trainer) -> None:
        while True:
            client.ask()
            message = client.hear()
            if message["type"] == "task":
                client.finish(message["data"]["id"])
                if all(farms[0].task(task)["status"] == "completed" for task in tasks):
                    return

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for task in tasks:
        farms[0].until(task, lambda task: task["status"] == "completed")
    for client in clients:
        client.die()
    for thread in threads:
        thread.join()


def test_pause_resume_stop_and_delete_reach_all_ranks(farm: Farm, trainers: Connect) -> None:
    task_id, ranks = started(farm, trainers(3))
    for status, action in (("paused", "pause"), ("running", "resume"), ("stopped", "stop")):
        assert farm.put(task_id, status)[0] == 200
        for client in ranks:
            client.told(action, task_id, 1)
    assert [client.finish(task_id, "stopped") for client in ranks] == [True] * 3
    task_id, ranks = started(farm, ranks)
    assert farm.ask("DELETE", f"/api/tasks/{task_id}") == (204, None)
    for client in ranks:
        client.told("stop", task_id, 1)
    assert [client.finish(task_id, "stopped") for client in ranks] == [True] * 3
    completed(farm, *started(farm, ranks))


def test_ranks_whose_gateway_was_killed_are_lost(fleet: Fleet, farm: Farm, trainers: Connect) -> None:
    with fleet.more_gateways() as (victim,):
        (elsewhere,), others = trainers(1), trainers(2, victim.url)
        task_id, _ = started(farm, [elsewhere, *others])
        victim.kill()
        for client in others:
            client.fall_silent()
        elsewhere.told("stop", task_id, WITHIN_S)
    assert elsewhere.finish(task_id, "stopped") is False
    elsewhere.ask()
    more = trainers(2)
    for client in more:
        client.ask()
    ranked = {task["config"]["rank"]: client for client in (elsewhere, *more) for task in [client.given()]}
    assert farm.task(task_id)["attempt"] == 2
    completed(farm, task_id, [ranked[rank] for rank in range(3)])
