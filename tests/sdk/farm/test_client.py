"""The worker's side of the conversation over the socket."""

import asyncio
import logging
import re
from typing import Any

import pytest

from dispatcher_sdk.farm import FarmClient, FarmTask, Pace, Refused, Stopped
from tests.sdk.farm.scripted import FAST, TOKEN, Led, scripted, working

RESOURCES = {"cpu": {"cores": 8}, "ram": {"total": 16384}, "gpu": []}


async def test_from_the_handshake_to_the_next_request() -> None:
    async with scripted() as gateway:
        train = Led()
        async with working(gateway, train, resources=RESOURCES):
            beat, request = await gateway.exactly("heartbeat", "task_request")
            shown = gateway.socket.request
            assert shown is not None
            assert (shown.headers["Client-ID"], shown.headers["Authorization"]) == ("gpu-7", f"Bearer {TOKEN}")
            assert beat["system_info"].keys() == {"cpu_usage", "ram_usage", "gpu_usage"}
            assert (beat["resources"], beat["running"]) == (RESOURCES, [])
            assert request["resources"] == RESOURCES
            await gateway.assign(epochs=3, rank=1, world_size=3, attempt=2, checkpoint_path="/c/1")
            task = await train.began.get()
            assert (task.config["epochs"], task.requirements["min_ram"]) == (3, 8192)
            assert (task.rank, task.world_size, task.attempt, task.checkpoint_path) == (1, 3, 2, "/c/1")
            train.go.put((45.5, {"loss": 0.25, "odd": float("nan")}, "/c/2"))
            (progress,) = await gateway.exactly("task_progress")
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", progress.pop("timestamp"))
            about = {"task_id": "t1", "client_id": "gpu-7", "attempt": 2, "checkpoint_path": "/c/2"}
            assert progress == {"type": "task_progress", "progress": 45.5, "metrics": {"loss": 0.25}, **about}
            train.go.put(None)
            (result,) = await gateway.exactly("task_result")
            del result["timestamp"]
            assert result == {"type": "task_result", "status": "completed", "metrics": {"final_loss": 0.5}, **about}
            await gateway.acknowledge()
            await gateway.exactly("task_request")
        assert gateway.socket.close_code == 1000


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (RuntimeError("out of memory"), "RuntimeError: out of memory"),
        (SystemExit(3), "SystemExit: 3"),
        ((1, {"text": "x" * 16_384}), "ValueError: metrics have to fit"),
    ],
)
async def test_what_the_training_raises_fails_the_task(fault: Any, told: str) -> None:
    async with scripted() as gateway:
        train = Led()
        async with working(gateway, train):
            await gateway.next("task_request")
            await gateway.assign()
            train.go.put(fault)
            result = await gateway.next("task_result")
            assert (result["status"], result["metrics"]) == ("failed", {})
            assert result["error"].startswith(told)
            await gateway.acknowledge()
            await gateway.next("task_request")


async def test_a_result_is_sent_until_it_is_acknowledged() -> None:
    async with scripted() as gateway:
        train = Led()
        async with working(gateway, train, Pace(first_pause=0, resend=0.02)):
            await gateway.next("task_request")
            await gateway.assign()
            train.go.put(None)
            await gateway.exactly("task_result", "task_result")
            await gateway.acknowledge("another")
            await gateway.next("task_result")
            await gateway.acknowledge()
            await gateway.acknowledge()
            await gateway.next("task_request")
            await gateway.assign("t2")
            train.go.put(None)
            await gateway.acknowledge("t1")  # once more, and it is not taken for the other task's
            for _ in range(3):
                while (await gateway.next("task_result"))["task_id"] != "t2":
                    pass
            await gateway.acknowledge("t2", received=False)
            await gateway.next("task_request")
    assert train.began.qsize() == 2


async def test_a_new_connection_brings_what_the_last_one_may_have_lost() -> None:
    async with scripted() as gateway:
        train = Led()
        async with working(gateway, train, Pace(first_pause=0, resend=600, progress=0)):
            await gateway.next("task_request")
            await gateway.assign()
            train.go.put((50, {}, "/c/1"))
            await gateway.exactly("task_progress")
            gateway.cut()
            beat, progress = await gateway.exactly("heartbeat", "task_progress")
            assert (beat["running"], progress["progress"]) == (["t1"], 50)
            train.go.put(None)
            await gateway.exactly("task_result")
            gateway.cut()
            beat, progress, _ = await gateway.exactly("heartbeat", "task_progress", "task_result")
            assert beat["running"] == ["t1"]
            await gateway.acknowledge()
            await gateway.exactly("task_request")
            gateway.cut()
            await gateway.exactly("heartbeat", "task_request")


async def test_a_result_that_cannot_be_taken_now_is_sent_again() -> None:
    async with scripted() as gateway:
        train = Led()
        async with working(gateway, train, Pace(resend=0.02)):
            await gateway.next("task_request")
            await gateway.assign()
            train.go.put(None)
            await gateway.next("task_result")
            await gateway.send(type="error", data={"code": "CONFLICT", "message": "m", "details": {"task_id": "t1"}})
            await gateway.acknowledge(received=False, reason="SERVICE_UNAVAILABLE")
            await gateway.heard()
            await gateway.exactly("task_result", "task_result")
            await gateway.acknowledge(received=False, reason="CONFLICT")
            await gateway.next("task_request")


async def test_a_broken_connection_does_not_disturb_the_training() -> None:
    async with scripted() as gateway:
        train = Led()
        async with working(gateway, train):
            await gateway.next("task_request")
            await gateway.assign(attempt=1)
            task = await train.began.get()
            gateway.refusals = [503, 503]
            gateway.cut()
            await gateway.socket.wait_closed()
            train.go.put((10, {}, "/c/1"))
            train.go.put((20, {}, "/c/2"))
            beat = await gateway.next("heartbeat")
            assert beat["running"] == ["t1"]
            while (await gateway.next("task_progress"))["progress"] != 20:
                pass
            await gateway.assign(attempt=2)  # the gateway gave it away, and then to this worker again
            await gateway.control("pause", "another")
            await gateway.heard()
            train.go.put((30, {}, "/c/3"))
            train.go.put(None)
            result = await gateway.next("task_result")
            assert (result["attempt"], result["checkpoint_path"]) == (2, "/c/3")
            await gateway.acknowledge()
            await gateway.next("task_request")
    assert len(gateway.connections) == 2
    assert train.began.empty()
    assert task.attempt == 2


async def test_pause_resume_and_stop() -> None:
    async with scripted() as gateway:
        train = Led()
        async with working(gateway, train):
            await gateway.next("task_request")
            await gateway.assign()
            await train.began.get()
            await gateway.control("pause")
            await gateway.control("dance")
            await gateway.heard()
            train.go.put((10, {}, "/c/1"))
            train.go.put((20, {}, "/c/2"))
            assert (await gateway.next("task_progress"))["progress"] == 10
            assert train.go.qsize() == 1, "the step waits"
            await gateway.control("resume")
            assert (await gateway.next("task_progress"))["progress"] == 20
            await gateway.control("stop")
            await gateway.heard()
            train.go.put((30, {}, "/c/3"))
            result = await gateway.next("task_result")
            assert (result["status"], result["checkpoint_path"]) == ("stopped", "/c/3")
            await gateway.acknowledge()
            await gateway.next("task_request")


@pytest.mark.parametrize(
    ("code", "details", "status"),
    [
        ("CONFLICT", {"task_id": "t1"}, "stopped"),
        ("NOT_FOUND", {"task_id": "t1"}, "stopped"),
        ("CONFLICT", {"task_id": "t2"}, "completed"),
        ("INVALID_REQUEST", {"task_id": "t1"}, "completed"),
        ("CONFLICT", None, "completed"),
    ],
)
async def test_a_task_that_is_not_its_any_more_is_given_up(code: str, details: Any, status: str) -> None:
    async with scripted() as gateway:
        train = Led()
        async with working(gateway, train):
            await gateway.next("task_request")
            await gateway.assign()
            await gateway.send(type="error", data={"code": code, "message": "m", "details": details})
            await gateway.heard()
            train.go.put((10,))
            train.go.put(None)
            assert (await gateway.next("task_result"))["status"] == status
            await gateway.acknowledge(received=False, reason=code)
            await gateway.next("task_request")


async def test_leaving_stops_a_paused_task_and_waits_for_the_acknowledgement() -> None:
    async with scripted() as gateway:
        train = Led()
        async with working(gateway, train) as client:
            await gateway.next("task_request")
            await gateway.assign()
            await gateway.control("pause")
            train.go.put((10, {}, "/c/1"))
            await gateway.next("task_progress")
            client.stop()
            result = await gateway.next("task_result")
            assert (result["status"], result["checkpoint_path"]) == ("stopped", "/c/1")
            await gateway.assign("t2")  # too late: it is not begun
            await gateway.acknowledge()
        assert gateway.socket.close_code == 1000
        assert train.began.qsize() == 1


async def test_leaving_does_not_wait_for_ever() -> None:
    async with scripted() as gateway, working(gateway, lambda task: {}, Pace(resend=0.01, farewell=0.01)) as client:
        await gateway.next("task_request")
        await gateway.assign()
        await gateway.next("task_result")
        client.stop()


async def test_a_function_that_keeps_the_stop_for_itself_has_not_completed() -> None:
    async with scripted() as gateway:
        train = Led()

        def saves(task: FarmTask) -> dict[str, Any]:
            try:
                return train(task)
            except Stopped:
                task.checkpoint_path = "/c/last"
                return {"loss": 1}

        async with working(gateway, saves):
            await gateway.next("task_request")
            await gateway.assign()
            await gateway.control("stop")
            await gateway.heard()
            train.go.put((50,))
            result = await gateway.next("task_result")
            assert (result["status"], result["checkpoint_path"]) == ("stopped", "/c/last")
            await gateway.acknowledge()


async def test_heartbeats_go_on() -> None:
    async with scripted() as gateway, working(gateway, lambda task: {}, Pace(heartbeat=0.02)):
        await gateway.exactly("heartbeat", "task_request", "heartbeat", "heartbeat")


async def test_what_cannot_be_read_is_passed_over() -> None:
    async with scripted() as gateway, working(gateway, lambda task: {}):
        await gateway.next("task_request")
        for text in (
            "{",
            "[]",
            "1",
            b"\xff",
            '{"type": "task", "data": {"id": 7}}',
            '{"type": "weather"}',
            '{"data": 1}',
        ):
            await gateway.socket.send(text)
        await gateway.acknowledge()
        await gateway.assign()
        assert (await gateway.next("task_result"))["status"] == "completed"
        await gateway.acknowledge()


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refused_handshake_is_final(status: int) -> None:
    async with scripted() as gateway:
        gateway.refusals = [status]
        with pytest.raises(Refused, match=str(status)):
            await FarmClient(gateway.url, "t", "c", train=lambda task: {}, pace=FAST).serve()


async def test_a_worker_whose_place_was_taken_stops_training(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with scripted() as gateway:
        train = Led()
        serving = asyncio.create_task(FarmClient(gateway.url, TOKEN, "c", train=train, pace=FAST).serve())
        await gateway.next("task_request")
        await gateway.assign()
        task = await train.began.get()
        await gateway.socket.close(1008, "replaced")
        with pytest.raises(Refused, match="replaced"):
            await serving
        train.go.put((1,))
        while not task.interrupted:  # noqa: ASYNC110 - a thread
            await asyncio.sleep(0)
    ours = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
    assert any("connected to" in line for line in ours)
    assert TOKEN not in "\n".join(ours)


@pytest.mark.parametrize(
    ("url", "token", "client_id"),
    [
        ("http://h", "t", "c"),
        ("ws:///x", "t", "c"),
        ("ws://h", "", "c"),
        ("ws://h", "t", "a\r\nX: y"),
        ("ws://h", "t", "ü"),
    ],
)
def test_what_makes_no_connection_is_refused_at_once(url: str, token: str, client_id: str) -> None:
    with pytest.raises(ValueError, match="has to be"):
        FarmClient(url, token, client_id, train=lambda task: {})
