"""The agent's side of the socket, against a gateway by script."""

import asyncio
from pathlib import Path

import pytest

from dispatcher.agent import work as work_module
from dispatcher.agent.asking import REST_S
from dispatcher.agent.errors import Misconfigured, NotHere, Refused, TaskError, Unreachable
from dispatcher.agent.task import End
from tests.agent.scripted import Scripted, working


async def test_it_says_what_it_is_and_does_what_it_is_given(gateway: Scripted) -> None:
    async with working(gateway) as work:
        hello = await gateway.next("hello")
        assert hello | {"commands": []} == {
            "type": "hello", "kinds": ["led"], "resources": {"cpu": 2}, "maxConcurrent": 2, "commands": [],
            "loadable": [],
        }  # fmt: skip
        beat = await gateway.next("heartbeat")
        assert (await gateway.next("ready"))["slots"] == 2
        assert (beat["bootId"], beat["running"], beat["models"], beat["metrics"]) == ("boot-1", [], [], {"cpu": 1.0})
        await gateway.assign()
        work.led.ends.put_nowait(End(result={"n": 1}))
        told = await gateway.next("result")
        assert told == {"type": "result", "taskId": "t1", "attempt": 1, "status": "COMPLETED", "result": {"n": 1}}
        assert gateway.lines == {("t1", 1): ["at work"]}, "the lines come before the end"
        assert (await gateway.next("ready"))["slots"] == 1
        await gateway.acknowledge()
        assert await work.leave() == 0
        assert await gateway.next("bye") == {"type": "bye"}, "it is known at once"


@pytest.mark.parametrize(
    ("end", "error"),
    [(TaskError("no room", retryable=True), "no room"), (RuntimeError("secret"), "the agent could not run it")],
)
async def test_what_goes_wrong_is_told(gateway: Scripted, end: Exception, error: str) -> None:
    async with working(gateway) as work:
        await gateway.next("ready")
        await gateway.assign()
        work.led.ends.put_nowait(end)
        told = await gateway.next("result")
        assert (told["status"], told["error"], told["retryable"]) == ("FAILED", error, True)


async def test_what_is_not_for_this_worker_is_declined_and_others_go_first(gateway: Scripted) -> None:
    async with working(gateway, concurrency=1) as work:
        for turn, kind, why in ((0, "led", "no \ud800 image"), (1, "other", "this worker runs no tasks of kind other")):
            await gateway.next("ready")
            await gateway.assign(f"t{turn}", kind=kind)
            if kind == "led":
                work.led.ends.put_nowait(NotHere(why))
            told = await gateway.next("result", "release")
            assert told == {
                "type": "release", "taskId": f"t{turn}", "attempt": 1, "declined": why.replace("\ud800", "?"),
            }  # fmt: skip
            await gateway.acknowledge(f"t{turn}")
        assert (await gateway.next("ready"))["slots"] == 1
        assert [pause for pause in work.pauses if pause == REST_S] == [REST_S] * 2


async def test_an_end_is_sent_again_until_it_is_acknowledged_and_its_task_listed_meanwhile(gateway: Scripted) -> None:
    async with working(gateway) as work:
        await gateway.next("ready")
        await gateway.assign()
        work.led.ends.put_nowait(End(result=1))
        await gateway.next("result")
        gateway.cut()
        assert (await gateway.next("heartbeat"))["running"] == ["t1"]
        again = await gateway.next("result")
        assert (again["result"], len(gateway.connections)) == (1, 2)
        await gateway.assign()
        await gateway.send(type="error", code="UNAVAILABLE", details="", taskId="t1", attempt=1)
        assert (await gateway.next("result"))["result"] == 1
        await gateway.acknowledge(accepted=False, code="STALE_ATTEMPT")
        assert await work.leave() == 0
        assert work.led.began.qsize() == 1, "a task that came twice is done once"


async def test_a_running_task_outlives_its_connection(gateway: Scripted) -> None:
    async with working(gateway) as work:
        await gateway.next("ready")
        await gateway.assign()
        await work.led.began.get()
        gateway.cut()
        assert (await gateway.next("heartbeat"))["running"] == ["t1"]
        assert (await gateway.next("ready"))["slots"] == 1
        work.led.ends.put_nowait(End(result=2))
        assert (await gateway.next("result"))["result"] == 2


async def test_it_stops_holds_and_lets_go_on(gateway: Scripted) -> None:
    async with working(gateway) as work:
        await gateway.next("ready")
        await gateway.assign()
        attempt = await work.led.began.get()
        held = asyncio.Queue[bool]()
        attempt.when_paused(held.put_nowait)
        await gateway.send(type="control", action="pause", taskId="t1", attempt=1)
        await gateway.send(type="control", action="resume", taskId="t1", attempt=1)
        assert [await held.get(), await held.get()] == [True, False]
        await gateway.send(type="control", action="stop", taskId="t1", attempt=1, reason="The task is CANCELLED")
        assert await gateway.next("result", "release") == {"type": "release", "taskId": "t1", "attempt": 1}
        assert gateway.lines[("t1", 1)] == ["at work", "bye"], "what it says after it was told to stop is sent as well"
        await gateway.send(type="control", action="stop", taskId="t0", attempt=3, reason="gone")
        assert (await gateway.next("release"))["taskId"] == "t0", "what does not run here holds no slot either"
        await gateway.acknowledge("t0", 3)
        await gateway.acknowledge()
        assert await work.leave() == 0


async def test_told_to_stop_it_takes_no_more_and_gives_back_what_does_not_end(gateway: Scripted) -> None:
    async with working(gateway, grace_s=0.05) as work:
        await gateway.next("ready")
        await gateway.assign()
        await work.led.began.get()
        work.stopping.set()
        await asyncio.sleep(0)
        await gateway.assign("t2")
        given_back = {(await gateway.next("release"))["taskId"] for _ in range(2)}
        assert given_back == {"t1", "t2"}
        await gateway.acknowledge("t1")
        await gateway.acknowledge("t2")
        assert await work.leave() == 0


async def test_it_registers_again_when_it_is_not_known_any_more(gateway: Scripted) -> None:
    gateway.refusals = [Unreachable("x"), Refused(503, "x")]
    async with working(gateway):
        await gateway.next("hello")
        assert gateway.registered == 1
        await gateway.connections[0].close(4404, "not registered")
        await gateway.next("hello")
        assert gateway.registered == 2


async def test_it_gives_up_where_it_is_refused(gateway: Scripted) -> None:
    gateway.refusals = [Refused(403, "no")]
    async with working(gateway) as work:
        with pytest.raises(Refused, match="403 no"):
            await work.running
    async with working(gateway, server_id="server_9") as work:
        await gateway.next("hello")
        await gateway.connections[-1].close(4401, "expired")
        with pytest.raises(Refused):
            await work.running
        assert gateway.registered == 0


@pytest.mark.parametrize("while_leaving", [False, True])
async def test_one_whose_place_is_taken_ends_its_tasks_and_tells_nothing_of_them(
    gateway: Scripted, while_leaving: bool
) -> None:
    async with working(gateway, grace_s=600) as work:
        await gateway.next("ready")
        await gateway.assign()
        attempt = await work.led.began.get()
        if while_leaving:
            work.stopping.set()
            await asyncio.sleep(0)
        await gateway.connections[0].close(1008, "replaced")
        async with asyncio.timeout(5):
            if while_leaving:
                assert await work.running == 0
            else:
                with pytest.raises(Misconfigured, match="another agent has taken over as box"):
                    await work.running
        assert work.agent._work.at_work == []
        assert not attempt.stopped.done(), "it is not asked to end: that could take long"
        assert len(gateway.connections) == 1


async def test_one_whose_hello_is_refused_leaves_and_must_not_be_started_again(gateway: Scripted) -> None:
    async with working(gateway) as work:
        await gateway.next("ready")
        await gateway.assign()
        await work.led.began.get()
        await gateway.send(type="error", about="hello", code="UNAVAILABLE", details="Too many kinds")
        await gateway.send(type="error", about="hello", code="INVALID_REQUEST", details="Invalid field resources.cpu")
        await gateway.assign("t2")
        assert (await gateway.next("release"))["taskId"] == "t2"
        await gateway.acknowledge("t2")
        work.led.ends.put_nowait(End(result=1))
        await gateway.next("result")
        await gateway.acknowledge()
        with pytest.raises(
            Misconfigured, match=r"refuses what this agent says of itself: Invalid field resources\.cpu"
        ):
            await work.running


async def test_a_hello_that_could_not_be_looked_at_is_said_again(gateway: Scripted, tmp_path: Path) -> None:
    async with working(gateway, tmp_path) as work:
        await gateway.next("ready")
        await gateway.send(type="error", about="hello", code="UNAVAILABLE", details="Too many kinds")
        await gateway.send(type="command", id="c1", verb="disk.format", args={})
        await gateway.next("commandFailed")
        await work.agent._tell_how_it_is()
        assert (await gateway.next("hello", "heartbeat"))["type"] == "hello"


async def test_a_connection_of_its_own_start_is_not_another_agent_s(gateway: Scripted) -> None:
    async with working(gateway):
        for _ in range(2):
            await gateway.next("ready")
            request = gateway.connections[-1].request
            assert request is not None
            assert request.path == "/api/servers/server_1/socket?bootId=boot-1"
            await gateway.connections[-1].close(1012, "Connect again")


async def test_a_result_over_the_bound_becomes_a_failure(gateway: Scripted) -> None:
    async with working(gateway) as work:
        await gateway.next("ready")
        await gateway.assign()
        work.led.ends.put_nowait(End(result="x" * 100))
        await gateway.next("result")
        await gateway.connections[-1].close(1009, "too big")
        told = await gateway.next("result")
        assert (told["status"], "result" in told) == ("FAILED", False)


async def test_a_result_over_the_bound_that_the_gateway_tells_is_a_failure_at_once(gateway: Scripted) -> None:
    gateway.welcome = {**gateway.welcome, "maxMessage": 500}
    async with working(gateway) as work:
        await gateway.next("ready")
        await gateway.assign()
        work.led.ends.put_nowait(End(result="x" * 500))
        told = await gateway.next("result")
        assert (told["status"], told["error"], told["retryable"], len(gateway.connections)) == (
            "FAILED", "The result is too large for the gateway", False, 1,
        )  # fmt: skip


@pytest.mark.parametrize(("code", "status"), [(None, "FAILED"), (1012, "COMPLETED")])
async def test_a_result_that_breaks_three_connections_becomes_a_failure(
    gateway: Scripted, code: int | None, status: str
) -> None:
    async with working(gateway) as work:
        await gateway.next("ready")
        await gateway.assign()
        work.led.ends.put_nowait(End(result="x" * 100_000))
        for _ in range(3):
            assert (await gateway.next("result"))["status"] == "COMPLETED"
            if code is None:
                await gateway.hang_up()
            else:
                await gateway.connections[-1].close(code)
        assert (await gateway.next("result"))["status"] == status


async def test_a_second_signal_leaves_behind_what_does_not_end(
    gateway: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "m.py").write_text("import time\nclass Model:\n    def load(self):\n        time.sleep(600)\n")
    monkeypatch.setattr(work_module, "HURRY_S", 0.05)
    async with working(gateway, tmp_path, grace_s=600) as work:
        began = asyncio.Event()

        async def deaf(_: object) -> End:
            began.set()
            return await asyncio.Future()

        monkeypatch.setattr(work.led, "run", deaf)
        await gateway.next("ready")
        await gateway.send(type="command", id="c1", verb="model.load", args={"model": "m"})
        await gateway.next("commandAck")
        await gateway.assign()
        await began.wait()
        work.stopping.set()
        await asyncio.sleep(0)
        work.hurry.set()
        assert (await gateway.next("release"))["taskId"] == "t1"
        assert await work.leave() == 0
