"""What one that was killed left is gone when the next one starts; what somebody still holds stays."""

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from dispatcher.sandbox import home as module
from dispatcher.sandbox.home import PREFIX, home, remove_left

AGENT = '''
import asyncio
from dispatcher.agent.models import Models
from dispatcher.agent.runners.model import ModelRunner
from dispatcher.agent.runners.process import ProcessOptions, ProcessRunner
from dispatcher.sandbox.home import home
from tests.agent.attempts import an_attempt

SCRIPT = "setsid sleep 600 & echo secret > $HOME/x; echo $HOME $!; sleep 600"
MODEL = """
import os, time
class Model:
    def load(self):
        pass
    def predict(self, parameters):
        print(os.getpid(), flush=True)
        time.sleep(600)
"""

async def main(directory):
    (directory.parent / "m.py").write_text(MODEL)
    job, told = an_attempt("process", {"command": ["sh", "-c", SCRIPT], "env": {"SANDBOX_DIR": "/"}})
    task, said = an_attempt("model", {"model": "m"})
    running = asyncio.create_task(ProcessRunner(ProcessOptions(), None, directory).run(job))
    asking = asyncio.create_task(ModelRunner(Models(directory.parent, lambda pid: 0, home=directory), 1).run(task))
    while not (told.lines and said.lines) and not running.done():
        await asyncio.sleep(0.01)
    print(told.lines[0][1], said.lines[0][1], flush=True)
    await running

with home(None) as directory:
    asyncio.run(main(directory))
'''


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


async def test_what_a_killed_agent_left_is_gone_at_the_next_start(base: Path) -> None:
    env = {**os.environ, "TMPDIR": str(base), "PYTHONDONTWRITEBYTECODE": "1"}  # else there is more beside the model
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", AGENT, stdout=asyncio.subprocess.PIPE, env=env)
    try:
        assert agent.stdout is not None
        async with asyncio.timeout(30):
            directory, *left = (await agent.stdout.readline()).decode().split()
        work = Path(directory)
        assert work.is_relative_to(base)
        with home(None):
            assert (work / "x").read_text() == "secret\n", "that one lives"
            assert all(lives(pid) for pid in left)
        agent.send_signal(signal.SIGKILL)
        await agent.wait()
        assert work.exists()
    finally:
        if agent.returncode is None:
            agent.kill()
            await agent.wait()
    (base / "m.py").unlink()
    assert all(lives(pid) for pid in left), "what left the session, and what predicts"
    with home(None) as own:
        assert list(base.iterdir()) == [own]
        assert not any(lives(pid) for pid in left)
    assert list(base.iterdir()) == []


def test_a_home_is_private_and_removed_with_all_that_is_in_it(base: Path) -> None:
    for user, mode in ((None, 0o700), ((65_534, 65_534), 0o711)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "base_for", lambda _: str(base))
            with home(user) as own:
                assert own.stat().st_mode & 0o777 == mode
                (own / "job-1" / "work").mkdir(parents=True)
    assert list(base.iterdir()) == []


def test_only_what_is_ours_is_removed_and_no_link_is_followed(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere, theirs = base / "elsewhere", base / f"{PREFIX}theirs"
    for directory in (elsewhere, theirs):
        (directory / "job-1").mkdir(parents=True)
    link = base / f"{PREFIX}link"
    link.symlink_to(elsewhere)
    (base / f"{PREFIX}file").touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 64_900)
        remove_left(base)
    assert (theirs / "job-1").exists()
    (theirs / "job-2").symlink_to(elsewhere)
    remove_left(base)
    assert (elsewhere / "job-1").exists()
    assert link.is_symlink()
    assert not (theirs / "job-1").exists()
