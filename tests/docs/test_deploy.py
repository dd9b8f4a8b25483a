"""What the production page shows can be used: configuration, Redis settings, unit file, container file."""

import re
import tomllib
from pathlib import Path

from dispatcher.agent.agent import FAREWELL_S as FLUSH_S
from dispatcher.app.durability import durability_problems
from dispatcher.settings import CONFIG_FILE, load
from dispatcher.settings.values import parse_duration
from tests.docs.pages import ROOT, blocks, text

PRODUCTION = "docs/how-to/run-in-production.md"
UNIT = "docs/deploy/dispatcher.service"


def test_the_configuration_loads(tmp_path: Path) -> None:
    (shown,) = blocks(PRODUCTION, "toml")
    (tmp_path / CONFIG_FILE).write_text(shown)
    settings = load({"DISPATCHER_ENV": "production"}, directory=tmp_path).settings
    assert (settings.server.host, settings.log.format, settings.urls.loopback) == ("0.0.0.0", "json", False)  # noqa: S104


def test_the_settings_of_redis_are_the_ones_that_are_required() -> None:
    told = dict(line.split() for line in blocks(PRODUCTION, "text")[0].splitlines())
    assert durability_problems(told, loss_window_ms=0, asserted=False) == []
    for name in told:
        assert durability_problems({**told, name: "no"}, loss_window_ms=0, asserted=False)


def test_the_unit_gives_the_drain_its_time(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text(text(CONFIG_FILE))
    server = load({"DISPATCHER_ENV": "production"}, directory=tmp_path).settings.server
    needed = (server.drain_delay + server.drain_timeout) / 1000 + 5
    unit = dict(re.findall(r"^(\w+)=(.*)$", text(UNIT), re.MULTILINE))
    assert int(unit["TimeoutStopSec"]) > needed
    assert unit["KillSignal"] == "SIGTERM"
    assert int(re.findall(r"--stop-timeout (\d+)", text("docs/deploy/Containerfile"))[0]) > needed
    assert f"{needed:.0f} s with the settings above" in text(PRODUCTION)


def test_the_container_file_copies_all_that_the_distribution_is_built_of() -> None:
    project = tomllib.loads(text("pyproject.toml"))
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text("docs/deploy/Containerfile"), re.MULTILINE)
        for source in line.split()
    }
    needed = {*project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "pyproject.toml"}
    needed |= {project["project"]["readme"], *project["project"]["license-files"]}
    assert needed <= copied
    assert all((ROOT / source).exists() for source in copied)


def test_the_agent_s_unit_and_container_give_its_drain_the_time() -> None:
    unit = dict(re.findall(r"^(\w+)=(.*)$", text("docs/deploy/dispatcher-agent.service"), re.MULTILINE))
    grace, terminate = (int(re.findall(rf"--{flag} (\d+)", unit["ExecStart"])[0]) for flag in ("grace", "terminate"))
    assert int(unit["TimeoutStopSec"]) >= grace + terminate + FLUSH_S
    assert int(re.findall(r"--stop-timeout (\d+)", text("docs/deploy/Containerfile.agent"))[0]) >= grace + terminate
    assert (unit["Restart"], unit["Delegate"], unit["KillMode"]) == ("always", "yes", "mixed")


def test_a_supervised_agent_is_given_a_token_of_one_server_that_outlives_its_restarts() -> None:
    supervised = text("docs/how-to/run-an-agent.md").split("## Under a supervisor")[1].split("\n## ")[0]
    [(role, ttl)] = re.findall(r"dispatcher token .*--role (\w+) --server-id .*--ttl (\w+)", supervised)
    assert (role, parse_duration(ttl) >= 30 * 86_400_000) == ("server", True)
    for place in ("docs/deploy/dispatcher-agent.service", "docs/deploy/Containerfile.agent"):
        assert "DISPATCHER_SERVER_ID" in text(place), "by a name alone each start registers, with an admin's token"
