"""What an agent is told to do beside its tasks: to start anew, and with its models."""

import asyncio
from pathlib import Path

import pytest

from dispatcher.agent import agent as module
from dispatcher.agent.task import End
from tests.agent.scripted import Scripted, working

COUNTS_ITS_LOADS = "class Model:\n    def load(self):\n        open(__file__ + '.loads', 'a').write('x')\n"

LEAVES_WHEN_TOLD = """
import os, time

class Model:
    def load(self):
        pass

    def unload(self):
        while not os.path.exists(__file__ + ".go"):
            time.sleep(0.01)
"""


async def test_a_restart_drains_and_asks_for_another_start(gateway: Scripted) -> None:
    async with working(gateway) as work:
        await gateway.next("ready")
        args = {"drain_s": 30, "boot_id": "boot-0"}
        await gateway.send(type="command", id="c0", verb="worker.restart", args=args)
        assert (await gateway.next("commandDone"))["id"] == "c0", "of the start before: done already"
        await gateway.send(type="commandRecorded", id="c0")
        await gateway.assign()
        async with asyncio.timeout(5):
            await work.led.began.get()
        await gateway.send(type="command", id="c1", verb="worker.restart", args={"drain_s": 30, "boot_id": "boot-1"})
        assert await gateway.next("commandAck") == {"type": "commandAck", "id": "c1"}
        assert (await gateway.next("commandDone"))["id"] == "c1"
        assert not work.running.done(), "its task goes on"
        work.led.ends.put_nowait(End(result=1))
        await gateway.next("result")
        await gateway.acknowledge()
        await gateway.send(type="commandRecorded", id="c1")
        async with asyncio.timeout(10):
            assert await work.running == module.RESTART


@pytest.mark.parametrize("stopped_first", [True, False])
async def test_who_stops_it_wants_no_other_start(gateway: Scripted, stopped_first: bool) -> None:
    restart = {"type": "command", "id": "c1", "verb": "worker.restart", "args": {"drain_s": 30}}
    async with working(gateway) as work:
        await gateway.next("ready")
        await gateway.assign()
        async with asyncio.timeout(5):
            await work.led.began.get()
        if stopped_first:
            work.stopping.set()
            await asyncio.sleep(0)
        await gateway.send(**restart)
        told = await gateway.next("commandFailed" if stopped_first else "commandDone")
        assert told.get("error") == ("The agent is being stopped" if stopped_first else None)
        work.stopping.set()
        work.led.ends.put_nowait(End(result=1))
        await gateway.next("result")
        await gateway.acknowledge()
        await gateway.send(type="commandRecorded", id="c1")
        async with asyncio.timeout(10):
            assert await work.running == 0


async def test_a_command_is_done_once_and_its_end_told_until_it_is_recorded(gateway: Scripted, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(COUNTS_ITS_LOADS)
    args = {"model": "m", "priority": 1, "force": False}
    async with working(gateway, tmp_path) as work:
        assert (await gateway.next("hello"))["commands"] == ["worker.restart", "model.load", "model.unload"]
        for _ in range(2):
            await gateway.send(type="command", id="c1", verb="model.load", args=args)
        assert (await gateway.next("heartbeat"))["models"] == []
        assert [one["model"] for one in (await gateway.next("heartbeat"))["models"]] == ["m"]
        done = await gateway.next("commandDone")
        assert done["detail"].keys() == {"memory_bytes", "gpu_memory_bytes", "load_ms"}
        gateway.cut()
        assert [one["model"] for one in (await gateway.next("heartbeat"))["models"]] == ["m"]
        assert await gateway.next("commandDone") == done
        await gateway.send(type="command", id="c1", verb="model.load", args=args)
        assert await gateway.next("commandDone") == done
        await gateway.send(type="error", code="UNAVAILABLE", details="", id="c1")
        assert await gateway.next("commandDone") == done
        await gateway.send(type="commandRecorded", id="c1")
        await gateway.send(type="command", id="c2", verb="model.load", args=args)
        assert (await gateway.next("commandDone"))["id"] == "c2", "it is loaded: done"
        when_idle = {"model": "m", "when_idle": True, "within_s": 5}
        await gateway.send(type="command", id="c3", verb="model.unload", args=when_idle)
        assert (await gateway.next("heartbeat"))["models"] == []
        assert (await gateway.next("commandDone"))["id"] == "c3"
        await gateway.send(type="command", id="c1", verb="model.load", args=args)
        assert await gateway.next("commandDone") == done
        await gateway.send(type="commandRecorded", id="c1")
        await gateway.send(type="command", id="c4", verb="model.load", args={"model": "none"})
        assert "there is no model none" in (await gateway.next("commandFailed"))["error"]
        await gateway.send(type="command", id="c5", verb="disk.format", args={})
        assert "does not obey disk.format" in (await gateway.next("commandFailed"))["error"]
        for name in ("c2", "c3", "c4", "c5"):
            await gateway.send(type="commandRecorded", id=name)
        assert (tmp_path / "m.py.loads").read_text() == "x"
        assert await work.leave() == 0


async def test_one_that_leaves_does_not_say_that_its_models_are_gone(gateway: Scripted, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(LEAVES_WHEN_TOLD)
    async with working(gateway, tmp_path) as work:
        await gateway.next("hello")
        await gateway.send(type="command", id="c1", verb="model.load", args={"model": "m"})
        await gateway.next("commandDone")
        await gateway.send(type="commandRecorded", id="c1")
        work.stopping.set()
        async with asyncio.timeout(5):
            await gateway.connections[-1].wait_closed()
        assert not work.running.done(), "the model leaves the memory after the connection has ended"
        (tmp_path / "m.py.go").touch()
        assert await work.leave() == 0


async def test_it_says_which_models_it_can_load_and_when_they_change(gateway: Scripted, tmp_path: Path) -> None:
    for name in ("m", "no\nname", "x" * 129):
        (tmp_path / f"{name}.py").write_text(COUNTS_ITS_LOADS)
    async with working(gateway, tmp_path):
        assert (await gateway.next("hello"))["loadable"] == ["m"]
        await gateway.next("heartbeat")
        (tmp_path / "m.py").rename(tmp_path / "n.py")
        await gateway.send(type="command", id="c1", verb="model.load", args={"model": "n"})  # it tells of this at once
        hello = await gateway.next("hello")
        assert (hello["loadable"], hello["commands"]) == (["n"], ["worker.restart", "model.load", "model.unload"])
