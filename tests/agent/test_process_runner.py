"""Commands of tasks as real processes: confined, stopped with grace, held, and their files taken in."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.errors import NotHere, TaskError
from dispatcher.agent.options import MB
from dispatcher.agent.runners.process import ProcessOptions, ProcessRunner
from dispatcher.agent.runners.storage import EVERY_S, used
from dispatcher.agent.task import End, Needs
from dispatcher.sandbox.user import unprivileged
from tests.agent.attempts import NoRoom, Told, an_attempt

USER = unprivileged()


async def run(payload: Any, kind: str = "process", needs: Needs | None = None, **options: Any) -> tuple[End, Told]:
    attempt, told = an_attempt(kind, payload, needs)
    return await ProcessRunner(ProcessOptions(USER, **options)).run(attempt), told


def sh(script: str) -> dict[str, Any]:
    return {"command": ["sh", "-c", script]}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def test_arguments_environment_lines_and_files() -> None:
    script = (
        'printf "%s|" "$@" "$A" $TASK_ID $ATTEMPT; echo; echo err >&2; printf last; '
        'mkdir $OUTPUT_DIR/d; echo 1 > "$OUTPUT_DIR/d/a b.txt"; ln -s /etc/passwd $OUTPUT_DIR/passwd'
    )
    end, told = await run({"command": ["sh", "-c", script, "0", "a b", "$(id)"], "env": {"A": "x;y", "TASK_ID": "no"}})
    assert end == End(result={"exitCode": 0, "files": ["d/a b.txt"]})
    assert [text for stream, text in told.lines if stream == "stdout"] == ["a b|$(id)|x;y|t1|1|", "last"]
    assert ("stderr", "err") in told.lines
    assert told.files == {"d/a b.txt": b"1\n"}


async def test_it_runs_without_rights_and_without_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCHER_TOKEN", "secret")
    monkeypatch.setenv("OTHER", "secret")
    end, told = await run({"command": "sh -c 'id -u; env; cat'"})
    assert end.error is None
    said = [text for _, text in told.lines]
    assert said[0] == str(USER[0] if USER else os.geteuid())
    assert "secret" not in " ".join(said)


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (sh("exit 3"), "the command exited with 3"),
        (sh("exit 200"), "the command exited with 200"),
        (sh("kill -9 $$"), "the command was ended by signal 9"),
    ],
)
async def test_what_fails_is_told(payload: Any, error: str) -> None:
    end, _ = await run(payload)
    assert end == End(error=error)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "command is missing"),
        ({"command": ["no-such-command"]}, "there is no command no-such-command"),
        ({"command": "./nothing"}, "cannot be started: No such file"),
        ({"command": "sh 'open"}, "command cannot be split"),
        ({"command": [1]}, "command must be a string or a list of strings"),
        ({"command": ["echo", "a\0b"]}, "command must not contain NUL characters"),
        ({"command": "echo a\0b"}, "command must not contain NUL characters"),
        ({"command": "true", "env": {"A=B": "x"}}, "env must be"),
    ],
)
async def test_what_cannot_be_run_is_refused(payload: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        await run(payload)


async def test_the_command_of_an_image_needs_a_pattern_that_allows_it() -> None:
    payload = {"docker_image": "python:3.13", "command": "echo hello"}
    with pytest.raises(NotHere, match=r"image python:3\.13 is not allowed"):
        await run(payload, "docker", images=("ubuntu:*",))
    end, told = await run(payload, "docker", images=("ubuntu:*", "python:*"))
    assert (end.error, told.lines) == (None, [("stdout", "hello")])


async def begun(script: str, **options: Any) -> tuple[Attempt, Told, "asyncio.Task[End]"]:
    """A task that has said something."""
    attempt, told = an_attempt("process", sh(script))
    running = asyncio.create_task(ProcessRunner(ProcessOptions(USER, **options)).run(attempt))
    await until(lambda: bool(told.lines))
    return attempt, told, running


async def test_it_waits_on_its_pipe_while_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, told = an_attempt("process", sh("yes 1234567 | head -n 50000; echo end"))
    room = NoRoom(attempt, monkeypatch)
    running = asyncio.create_task(ProcessRunner(ProcessOptions(USER)).run(attempt))
    await room.asked.wait()
    await asyncio.sleep(0.2)
    assert not running.done()
    assert len(told.lines) < 5_000
    room.made.set()
    assert (await running).error is None
    assert (len(told.lines), told.lines[-1]) == (50_001, ("stdout", "end"))


async def test_what_it_left_in_its_pipe_is_kept_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, told = an_attempt("process", sh("yes 1234567 | head -n 6000"))
    NoRoom(attempt, monkeypatch)
    assert (await ProcessRunner(ProcessOptions(USER)).run(attempt)).error is None
    assert len(told.lines) == 6_000


async def test_stopping_gives_it_time_to_take_its_leave() -> None:
    attempt, told, running = await begun("trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.02; done")
    attempt.stop("not wanted")
    assert await running == End(error="not wanted")
    assert told.lines[-1] == ("stdout", "bye")


async def test_what_does_not_stop_is_killed_with_all_its_children() -> None:
    attempt, told, running = await begun("trap '' TERM; sleep 600 & echo $!; wait; wait", terminate_s=0.1)
    child = int(told.lines[0][1])
    attempt.stop("not wanted")
    assert await running == End(error="not wanted")
    await until(lambda: _gone(child))


def _gone(pid: int) -> bool:
    """Whether the process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_the_time_limit_holds() -> None:
    end, _ = await run(sh("sleep 60"), timeout_s=0.2)
    assert end == End(error="the time limit of 0.2 s is over")


async def test_it_is_held_and_goes_on_and_can_be_stopped_while_held() -> None:
    attempt, told, running = await begun("while :; do echo tick; sleep 0.01; done")
    attempt.pause(True)
    await asyncio.sleep(0.1)
    held = len(told.lines)
    await asyncio.sleep(0.2)
    assert len(told.lines) == held
    attempt.pause(False)
    await until(lambda: len(told.lines) > held)
    attempt.pause(True)
    attempt.stop("not wanted")
    async with asyncio.timeout(5):
        assert (await running).error == "not wanted"


async def test_memory_that_was_not_asked_for_is_not_there() -> None:
    hungry = {"command": ["python3", "-c", "x = bytearray(512 << 20); print('had it')"]}
    end, _ = await run(hungry, needs=Needs(memory=200 << 20))
    assert end.error == "the command exited with 1"
    end, told = await run(hungry, needs=Needs(memory=2 << 30))
    assert told.lines == [("stdout", "had it")]


async def test_a_line_tells_how_many_files_were_too_many() -> None:
    end, told = await run(sh("cd $OUTPUT_DIR; touch $(seq 1003)"))
    assert len(end.result["files"]) == len(told.files) == 1_000
    assert told.lines == [("stderr", "[3 files left out: at most 1,000 are uploaded]")]


async def test_a_file_of_an_odd_name_is_left_out() -> None:
    end, told = await run(sh(r"cd $OUTPUT_DIR; touch good 'a\b'; touch $(printf 'caf\351')"))
    assert end == End(result={"exitCode": 0, "files": ["good"]})
    assert [text.partition(":")[0] for _, text in told.lines] == [
        r"['a\\b' was not uploaded", r"['caf\udce9' was not uploaded"
    ]  # fmt: skip


@pytest.mark.parametrize("rest", ["sleep 600", "true"])
async def test_what_a_task_writes_in_all_is_bounded_also_at_its_end(rest: str) -> None:
    write = "for n in 1 2 3; do head -c 2097152 /dev/zero > $HOME/$n; done"
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0.01 if rest != "true" else 600)

    attempt, _ = an_attempt("process", sh(f"{write}; {rest}"), Needs(storage=4 * MB))
    async with asyncio.timeout(20):
        end = await ProcessRunner(ProcessOptions(USER), sleep=sleep).run(attempt)
    assert end == End(error="it wrote more than the 4 MB of storage that it asked for")
    assert set(pauses) == {EVERY_S}
    attempt, _ = an_attempt("process", sh(write), Needs(storage=6 * MB))
    assert (await ProcessRunner(ProcessOptions(USER)).run(attempt)).error is None


def test_what_counts_is_what_is_on_the_disk_and_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * MB)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "up").symlink_to(tmp_path)
    with (tmp_path / "d" / "sparse").open("wb") as file:
        file.truncate(MB << 10)
    assert MB <= used(tmp_path) < 1.1 * MB
    assert used(tmp_path / "nothing") == 0
