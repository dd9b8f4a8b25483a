"""The worker's side of the conversation over the socket."""

import re
from typing import Any

import pytest

from dispatcher_sdk.farm import FarmClient, Pace
from tests.sdk.farm.scripted import TOKEN, Led, scripted, working

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


async def test_heartbeats_go_on() -> None:
    async with scripted() as gateway, working(gateway, lambda task: {}, Pace(heartbeat=0.02)):
        await gateway.next("task_request")
        await gateway.next("heartbeat")
        await gateway.next("heartbeat")


@pytest.mark.parametrize("code", ["SERVICE_UNAVAILABLE", "RATE_LIMITED", "INTERNAL_ERROR"])
async def test_a_request_that_was_answered_by_an_error_is_repeated(code: str) -> None:
    async with scripted() as gateway, working(gateway, lambda task: {}, Pace(heartbeat=0.02)):
        await gateway.next("task_request")
        await gateway.exactly("heartbeat", "heartbeat")
        await gateway.send(type="error", data={"code": code, "message": "m", "details": {}})
        await gateway.next("task_request")
        await gateway.assign()
        await gateway.next("task_result")
        await gateway.acknowledge()


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
