"""Flags of the agent that cannot be meant, told before anything runs."""

from pathlib import Path

import pytest

from dispatcher.cli.agent import AgentFlags
from tests.cli.conftest import Invoke, here, invoke

__all__ = ["here", "invoke"]

GOOD = ("--url", "http://127.0.0.1:1", "--name", "box")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--token", "t", "--url", "gateway.example.com"), "--url has to be an http or https URL"),
        ((), "--token is missing"),
        (("--token", "t", "--runner", "docker"), "--runner docker goes with --allow-image"),
        (("--token", "t", "--runner", "model"), "--runner model goes with --models"),
        (("--token", "t", "--models", "."), "--runner model goes with --models"),
        (("--token", "t", "--runner", "model", "--models", "nothing"), "--models nothing is no directory"),
        (("--token", "t", "--resource", "memory=1"), "--resource memory=1 is not one of cpu, memoryMB"),
        (("--token", "t", "--users", "64200"), "--users 64200 has to be FIRST-LAST"),
        (("--token", "t", "--users", "0-70000"), "--users 0-70000 has to be FIRST-LAST"),
        (("--token", "t", "--users", "65000-66000"), "--users 65000-66000 holds the id of nobody"),
        (("--token", "t", "--users", "64200-64201", "--concurrency", "3"), "are fewer than --concurrency 3"),
        *(
            (("--token", "t", "--resource", amount), f"--resource {amount} is not one of")
            for amount in (
                "cpu=-1",
                "cpu=inf",
                "cpu=nan",
                "gpu=0.0001",
                "memoryMB=0.5",
                "memoryMB=1e400",
                "memoryMB=-inf",
            )
        ),
        (("--token", "t", "--resource", "storageMB=nan"), "the others whole and from 1 to 1073741824"),
    ],
)
def test_wrong_flags(invoke: Invoke, here: Path, flags: tuple[str, ...], told: str) -> None:
    result = invoke("agent", *GOOD, *flags)
    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr


def test_which_server_it_is_may_come_by_the_environment(
    invoke: Invoke, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[AgentFlags] = []

    def run(flags: AgentFlags) -> int:
        given.append(flags)
        return 0

    monkeypatch.setattr("dispatcher.cli.agent.run_agent", run)
    monkeypatch.setenv("DISPATCHER_SERVER_ID", "server_9")
    monkeypatch.setenv("DISPATCHER_TOKEN", "t")
    assert invoke("agent", *GOOD).exit_code == 0
    assert (given[0].server_id, given[0].token) == ("server_9", "t")
