"""Real programs, confined, and nothing left of them."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dispatcher.executor.errors import JobError
from dispatcher.executor.options import OUTPUT_KEPT
from dispatcher.executor.process import Ended, run
from dispatcher.sandbox.place import Place, place
from dispatcher.sandbox.program import CONFINE, PATH, Limits, Program
from dispatcher.sandbox.user import unprivileged

USER = unprivileged()


@pytest.fixture
def here() -> Iterator[Place]:
    with place(USER) as made:
        yield made


async def start(
    here: Place,
    script: str,
    *arguments: str,
    cut: "asyncio.Future[str] | None" = None,
    terminate_s: float = 5.0,
    limits: Limits | None = None,
    env: Mapping[str, str] | None = None,
) -> Ended:
    here.binary.write_text(script)
    here.make_executable()
    cut = cut or asyncio.get_running_loop().create_future()
    program = Program(here.binary, arguments, {"PATH": PATH, **(env or {})}, here.work, USER, limits or Limits())
    return await run(program, cut, terminate_s=terminate_s)


def python(code: str) -> str:
    """A program for a Python that an unprivileged user can run too: the system's."""
    return f"#!/usr/bin/env python3\n{code}\n"


async def appeared(path: Path) -> str:
    """The text of a file that a program is about to write."""
    async with asyncio.timeout(20):
        while not path.exists() or not path.read_text().endswith("\n"):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    return path.read_text()


def gone(pid: int) -> bool:
    """Whether the process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while not gone(pid):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def test_arguments_and_environment_arrive_as_they_are(here: Place) -> None:
    script = '#!/bin/sh\nprintf "%s|" "$@" "$A"\necho err >&2\nexit 3\n'
    ended = await start(here, script, "a b", "$(id)", "*", "", env={"A": "x;y"})
    assert ended == Ended(3, "a b|$(id)|*||x;y|", "err\n")


async def test_it_sees_nothing_of_the_executor(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCHER_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    ended = await start(here, "#!/bin/sh\n/usr/bin/env\ncat\nls /proc/self/fd | wc -l\npwd\n")
    *env, descriptors, directory = ended.stdout.split()
    assert {line.partition("=")[0] for line in env} <= {"PATH", "PWD", "SHLVL", "_", "OLDPWD", "SANDBOX_DIR"}
    assert (descriptors, directory) == ("4", str(here.work))  # 0, 1, 2, and the one that ls reads


async def test_it_runs_without_rights_and_cannot_change_its_binary(here: Place) -> None:
    script = '#!/bin/sh\nid -u; id -G\ntouch mine && echo wrote\n[ -w "$0" ] && echo may\nls .. && echo looked\numask\n'
    ended = await start(here, script)
    lines = ended.stdout.split("\n")
    user, group = USER or (os.geteuid(), os.getegid())
    assert (int(lines[0]), "wrote" in lines, "0077" in lines) == (user, True, True)
    if USER is not None:
        assert lines[1] == str(group)
        assert "may" not in lines
        assert "looked" not in lines


async def test_the_executor_s_further_groups_are_not_its_own(here: Place) -> None:
    if USER is None:  # who is not root has nothing to give up, and could not
        return
    before = os.getgroups()
    os.setgroups([*before, 4])
    try:
        ended = await start(here, "#!/bin/sh\nid -G\n")
    finally:
        os.setgroups(before)
    assert ended.stdout.split() == [str(USER[1])]


async def test_its_environment_takes_no_effect_before_the_rights_are_gone(here: Place) -> None:
    ended = await start(here, "#!/bin/sh\necho fine\n", env={"LD_PRELOAD": "/nonexistent.so"})
    assert ended.stdout == "fine\n"
    assert ended.stderr.count("LD_PRELOAD") <= 1  # the shell's own loader, not the one before it


async def test_a_flood_is_read_and_only_its_beginning_kept(here: Place) -> None:
    script = "#!/bin/sh\nhead -c 5000000 /dev/zero | tr '\\0' x\nhead -c 3000000 /dev/zero | tr '\\0' y >&2\n"
    ended = await start(here, script)
    assert (ended.code, len(ended.stdout), len(ended.stderr)) == (0, OUTPUT_KEPT + 4, OUTPUT_KEPT + 4)


async def test_a_program_that_hangs_is_asked_and_then_made_to_stop(here: Place) -> None:
    cut: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    script = "#!/bin/sh\ntrap 'echo asked' TERM\necho $$ > pid\nwhile :; do sleep 0.05; done\n"
    running = asyncio.create_task(start(here, script, cut=cut, terminate_s=0.3))
    pid = int(await appeared(here.work / "pid"))
    cut.set_result("too late")
    ended = await running
    assert (ended.code, ended.stdout, ended.cut) == (128 + 9, "asked\n", "too late")
    assert gone(pid)


async def test_its_children_end_with_it(here: Place) -> None:
    ended = await start(here, "#!/bin/sh\n(trap '' TERM; while :; do sleep 0.05; done) &\necho $!\n")
    assert ended.code == 0
    await until_gone(int(ended.stdout))


async def test_a_child_that_left_the_group_does_not_hold_the_job_up(here: Place) -> None:
    ended = await start(here, "#!/bin/sh\nsetsid sh -c 'echo $$; exec sleep 30' &\nwait_for=1; sleep 0.3\n")
    pid = int(ended.stdout)
    assert ended.code == 0
    os.kill(pid, 9)


async def test_it_is_told_when_a_binary_cannot_be_started(here: Place) -> None:
    with pytest.raises(JobError, match="cannot be started: Exec format error"):
        await start(here, "no program at all")


async def test_a_missing_interpreter_and_a_bad_variable(here: Place) -> None:
    with pytest.raises(JobError, match="cannot be started: No such file"):
        await start(here, "#!/nonexistent/interpreter\n")
    with pytest.raises(JobError, match="cannot be started"):
        await start(here, "#!/bin/sh\n", env={"A=B": "c"})


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(cpu_s=1), "while True: pass"),
        (Limits(file=1000), "f = open('f', 'wb', 0); f.write(b'x' * 1000); f.write(b'y')"),
        (Limits(memory=128 << 20), "x = bytearray(256 << 20)"),
    ],
)
async def test_limits_hold(here: Place, limits: Limits, code: str) -> None:
    ended = await start(here, python(code), limits=limits)
    assert ended.code != 0
    free = await start_again(code, cpu=limits.cpu_s is not None)
    assert free.code == 0


async def start_again(code: str, *, cpu: bool) -> Ended:
    """The same without a limit; what would never end is made to."""
    with place(USER) as other:
        return await start(other, python("" if cpu else code))


async def test_no_core_is_dumped(here: Place) -> None:
    assert (await start(here, "#!/bin/sh\nulimit -c\n")).stdout == "0\n"


def test_a_place_is_private_and_leaves_nothing() -> None:
    with place(USER) as made:
        root = made.work.parent
        assert root.stat().st_mode & 0o007 == 0
        (made.work / "left").write_text("x")
    assert not root.exists()


def test_the_step_between_uses_the_standard_library_only() -> None:
    text = CONFINE.read_text()
    assert "dispatcher" not in text.partition('"""\n\n')[2]


def test_root_gives_its_rights_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Any
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = unprivileged()
    assert found is not None
    assert 0 not in found
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged() is None
