"""What the README and the how-to show to be run is understood, and does what they say."""

import asyncio
import re
import shlex
import signal
import sys

import pytest

from dispatcher_sdk.farm.example.__main__ import main, parser
from tests.docs.pages import ROOT, blocks, text
from tests.sdk.farm.scripted import scripted

HOW_TO = "docs/how-to/train-on-a-farm.md"


@pytest.mark.e2e
async def test_the_readmes_worker_trains() -> None:
    (program,) = (program for program in blocks("sdk/README.md", "python") if "FarmClient" in program)
    async with scripted() as gateway:
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program.replace("ws://127.0.0.1:8787/farm", gateway.url),
            env={"PYTHONPATH": str(ROOT / "sdk")}, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await gateway.next("task_request")
            await gateway.assign(epochs=4)
            result = await gateway.next("task_result")
            assert (result["metrics"], result["checkpoint_path"]) == ({"final_loss": 0.25}, "/shared/t1/4")
            await gateway.acknowledge()
            await gateway.next("task_request")
            worker.send_signal(signal.SIGTERM)
            assert await worker.wait() == 0
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()


def test_the_how_tos_commands_and_program_are_understood() -> None:
    (program,) = blocks(HOW_TO, "python")
    compile(program, HOW_TO, "exec")
    (command,) = re.findall(r"python -m dispatcher_sdk\.farm\.example((?:.*\\\n)*.*)", text(HOW_TO))
    given = parser({"DISPATCHER_TOKEN": "t"}).parse_args(shlex.split(command.replace("\\\n", " ")))
    assert (given.url, given.client_id, given.token) == ("ws://127.0.0.1:8787/farm", "gpu-1", "t")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ([], "--token"),
        (["--token", "t", "--url", "http://h"], "ws://"),
        (["--token", "t", "--step-delay", "-1"], "delay"),
    ],
)
def test_a_wrong_command_is_explained(wrong: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--url", "ws://127.0.0.1:1", "--client-id", "c", "--checkpoints", "d", *wrong], {})
    assert told in capsys.readouterr().err.splitlines()[-1]
