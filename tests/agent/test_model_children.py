"""What a model starts ends with it, in whatever session it is: its room is told to be free."""

import asyncio
from pathlib import Path

import psutil
import pytest

from dispatcher.agent.errors import TaskError
from dispatcher.agent.models import Models
from dispatcher.agent.resident import Resident
from dispatcher.agent.runners.model import ModelRunner
from tests.agent.attempts import an_attempt
from tests.agent.resident_models import processes

KINDS = ["of a session of its own", "that wiped its mark", "whose parent has ended"]
STARTS = """
import os, subprocess, time

class Model:
    def load(self):
        first = subprocess.Popen(["sleep", "600"], start_new_session=True)
        second = subprocess.Popen(["sleep", "600"], start_new_session=True, env={})
        third = subprocess.check_output("setsid sleep 600 >/dev/null & echo $!", shell=True, text=True)
        with open(__file__ + ".new", "w") as file:
            print(first.pid, second.pid, third, file=file)
        os.rename(__file__ + ".new", __file__ + ".pids")
        while os.path.exists(__file__ + ".hangs"):
            time.sleep(0.01)

    def predict(self, parameters):
        if parameters == "die":
            os._exit(1)
        self.load()
"""


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def started_by(file: Path) -> list[psutil.Process]:
    pids = file.with_name(f"{file.name}.pids")
    async with asyncio.timeout(10):
        while not pids.exists():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    return [psutil.Process(int(pid)) for pid in pids.read_text().split()]


async def end(models: Models, resident: Resident, way: str) -> None:
    match way:
        case "unloaded":
            await models.unload("m", force=False)
        case "discarded":
            await models.discard(resident)
        case "closed":
            await models.close()
        case "died":
            with pytest.raises(TaskError, match="has ended"):
                await ModelRunner(models, 1.0).run(an_attempt("model", {"model": "m", "parameters": "die"})[0])
            await models.measure()  # for the heartbeat that does not list it


@pytest.mark.parametrize("way", ["unloaded", "discarded", "closed", "given up", "died"])
async def test_what_a_model_started_ends_with_it(tmp_path: Path, way: str) -> None:
    file, home = tmp_path / "m.py", tmp_path / "home"
    file.write_text(STARTS)
    home.mkdir()
    models = Models(tmp_path, lambda pids: 0, home=home)
    if way == "given up":
        (tmp_path / "m.py.hangs").touch()
    loading = asyncio.create_task(models.load("m"))
    started = await started_by(file)
    try:
        if way == "given up":
            await models.close()
            with pytest.raises(TaskError, match="given up"):
                await loading
        else:
            resident = await loading
            if way == "unloaded":  # nobody has looked since
                await ModelRunner(models, 1.0).run(an_attempt("model", {"model": "m"})[0])
                started += await started_by(file)
            await end(models, resident, way)
        left = [kind for kind, one in zip(KINDS * 2, started, strict=False) if lives(one)]
        assert (left, processes(), list(home.iterdir())) == ([], [], [])
    finally:
        for one in filter(lives, started):
            one.kill()
        await models.close()
