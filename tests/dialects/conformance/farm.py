"""AI Farm: clients ask for work over their sockets."""

from tests.dialects.conformance.driver import ACCEPTED, Driver, Expected, Held, Refusal, Worker
from tests.dialects.farm.world import TASK, Denied, Socket, World


class FarmDriver(Driver):
    name = "farm"
    expected = Expected(
        "pending", "running", "completed", "failed", "stopped", submitted=201,
        late="CONFLICT", foreign="FORBIDDEN", other_end="CONFLICT", stopped=ACCEPTED, cancelled_again=200,
    )  # fmt: skip
    bad_bodies = (
        {},
        [],
        {**TASK, "type": None},
        {**TASK, "name": ""},
        {**TASK, "epochs": 0},
        {**TASK, "learning_rate": "0.001"},
        {**TASK, "n_clients": 2},
        {**TASK, "requirements": {"min_cpu_cores": -1}},
        {**TASK, "url": "model"},
    )

    def __init__(self) -> None:
        super().__init__(World())

    async def submit(self, caller: str | None = "a", *, key: str = "", body: object = None) -> tuple[int, str]:
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.world.call("POST", "/tasks", caller, TASK if body is None else body, headers=headers)
        return answer.status_code, answer.json().get("id", "")

    def another_body(self) -> object:
        return {**TASK, "name": "other"}

    async def see(self, task_id: str, caller: str | None = "a") -> tuple[int, str]:
        answer = await self.world.call("GET", f"/tasks/{task_id}", caller)
        return answer.status_code, answer.json().get("status", "")

    async def cancel(self, task_id: str, caller: str = "a") -> int:
        return (await self.world.put(task_id, "stopped", caller)).status_code

    async def retry(self, task_id: str, caller: str = "a") -> int:
        return (await self.world.put(task_id, "pending", caller)).status_code

    async def page(self, number: int, size: int, caller: str = "a") -> tuple[list[str], int]:
        found = (await self.world.call("GET", f"/tasks?page={number + 1}&limit={size}", caller)).json()
        return [task["id"] for task in found["tasks"]], found["total"]

    async def worker(self, name: str) -> Worker:
        client = Client(self.world, name)
        await client.connect()
        return client

    async def work_as(self, caller: str | None) -> Refusal:
        try:
            await self.world.socket(caller).opened()
        except Denied as denied:
            return denied.status
        return ACCEPTED


class Client(Worker):
    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._socket: Socket | None = None

    async def connect(self) -> Socket:
        if self._socket is None:
            self._socket = self._world.socket(client=self._name)
            await self._socket.opened()
        return self._socket

    async def take(self) -> Held | None:
        socket = await self.connect()
        socket.say("task_request")
        await self._world.settle()
        if socket.silent:
            return None
        message = await socket.hear()
        assert message["type"] == "task"
        return Held(message["data"]["id"], message["data"]["config"]["attempt"])

    async def end(self, held: Held, how: str) -> Refusal:
        socket = await self.connect()
        socket.say("task_result", task_id=held.task_id, status=how)
        ack = await socket.hear()
        assert (ack["type"], ack["task_id"]) == ("task_result_ack", held.task_id)
        return ACCEPTED if ack["received"] else str(ack["reason"])

    async def is_stopped(self, held: Held) -> bool:
        message = await (await self.connect()).hear()
        return (message["type"], message["action"], message["task_id"]) == ("control", "stop", held.task_id)

    async def beat(self) -> None:
        (await self.connect()).say("heartbeat")
        await self._world.settle()

    async def die(self) -> None:
        await (await self.connect()).drop()
        self._socket = None
