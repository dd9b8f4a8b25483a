"""Tasks at the same time are different users, and leave nothing running."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import pytest

from dispatcher.agent.runners.process import ProcessOptions, ProcessRunner
from dispatcher.sandbox import users as module
from dispatcher.sandbox.leftovers import MARK, end_strays
from dispatcher.sandbox.place import place
from dispatcher.sandbox.users import Users, end_all_of
from tests.agent.attempts import an_attempt

ROOT = os.geteuid() == 0
FIRST, LAST = 64_900, 64_901


def test_each_has_an_id_of_its_own() -> None:
    users = Users(FIRST, LAST)
    with users.one() as one, users.one() as other:
        assert {one, other} == {(FIRST, FIRST), (LAST, LAST)}
        with pytest.raises(IndexError), users.one():
            pass
    assert len(users) == 2


async def test_one_task_sees_nothing_of_another_and_its_stragglers_are_killed() -> None:
    """Without the right to become somebody else there is only the search for processes to look at."""
    if not ROOT:
        assert os.getpid() in module._processes_of(os.getuid())
        return
    runner = ProcessRunner(ProcessOptions(users=Users(FIRST, LAST)))
    script = "setsid sleep 600 & echo $$; echo secret > $OUTPUT_DIR/x; echo $OUTPUT_DIR; read -r _ < $HOME/go"
    one, told = an_attempt("process", {"command": ["sh", "-c", f"mkfifo $HOME/go; {script}"], "env": {"KEY": "s"}})
    running = asyncio.create_task(runner.run(one))
    async with asyncio.timeout(10):
        while len(told.lines) < 2:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    (_, pid), (_, output) = told.lines
    look = f"cat /proc/{pid}/environ; cat {output}/x; ls {output}; kill {pid}; id -u"
    other, heard = an_attempt("process", {"command": ["sh", "-c", look]})
    assert (await runner.run(other)).error is None
    assert [text for stream, text in heard.lines if stream == "stdout"] == [str(LAST)]
    (Path(output).parent / "go").write_text("\n")
    assert (await running).error is None
    assert module._processes_of(FIRST) == []
    assert not Path(output).parent.parent.exists()


async def test_what_cannot_be_killed_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "CLEARED_S", 0.05)
    monkeypatch.setattr(module, "_processes_of", lambda user: [2**22 + 1])
    await end_all_of(FIRST)
    assert f"processes of user {FIRST} do not end" in caplog.text


def test_what_an_agent_left_as_one_of_its_users_is_killed_and_what_another_one_runs_is_not() -> None:
    if not ROOT:
        return
    with place((FIRST, FIRST)) as here:

        def begun(mark: str) -> "subprocess.Popen[bytes]":
            return subprocess.Popen(["sleep", "600"], user=FIRST, group=FIRST, extra_groups=[], env={MARK: mark})

        running, left, shifty = begun(str(here.work)), begun("/nothing"), begun("/")
        end_strays(range(FIRST, LAST + 1))
        assert [one.wait(5) for one in (left, shifty)] == [-signal.SIGKILL] * 2
        assert running.poll() is None
    end_strays([FIRST])
    assert running.wait(5) == -signal.SIGKILL


async def test_what_a_killed_agent_left_is_gone_before_its_user_runs_another_task() -> None:
    if not ROOT:
        return  # nobody else may become another user
    left = subprocess.Popen(["sleep", "600"], user=FIRST, group=FIRST, extra_groups=[])
    with place((FIRST, FIRST)) as here:
        (here.work / "secret").write_text("x")
        runner = ProcessRunner(ProcessOptions(users=Users(FIRST, FIRST)))
        task, told = an_attempt("process", {"command": ["sh", "-c", f"ls {here.work}"]})
        await runner.run(task)
        assert left.wait(5) == -signal.SIGKILL
        assert not any(stream == "stdout" for stream, _ in told.lines)
        assert not here.work.exists()
