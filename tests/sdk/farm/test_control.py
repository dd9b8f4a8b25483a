"""How a worker is steered, stopped and sent away."""

import asyncio
import logging
from typing import Any

import pytest

from dispatcher_sdk.farm import FarmClient, FarmTask, Pace, Refused, Stopped
from tests.sdk.farm.scripted import FAST, TOKEN, Led, scripted, working


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
            assert [await train.stepped.get() for _ in range(2)] == [10, 20], "what is to stop it comes after them"
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
