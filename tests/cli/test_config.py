"""`dispatcher config check` and `show`."""

from pathlib import Path

from dispatcher.settings import CONFIG_FILE, load
from tests.cli.conftest import Invoke
from tests.support.program import ROOT, SECRET


def test_the_shipped_file_is_good(invoke: Invoke, here: Path) -> None:
    (here / CONFIG_FILE).write_text((ROOT / CONFIG_FILE).read_text())
    result = invoke("config", "check")
    assert (result.exit_code, result.stdout) == (0, "the configuration is good (overlays: production)\n")
    assert "server.public_url: needed with server.host 0.0.0.0" in result.stderr, "production will want to know"


def test_what_is_wrong_is_told_on_stderr_with_exit_code_2(invoke: Invoke, here: Path) -> None:
    (here / CONFIG_FILE).write_text("[server]\nprot = 1\n")
    result = invoke("config", "check")
    assert result.exit_code == 2
    assert result.stderr == f'dispatcher: {CONFIG_FILE}: unknown key "server.prot"; did you mean "server.port"?\n'


def test_check_looks_into_every_overlay(invoke: Invoke, here: Path) -> None:
    (here / CONFIG_FILE).write_text("[env.a.server]\nport = -1\n[env.b.server]\nport = 1\n")
    result = invoke("config", "check")
    assert result.exit_code == 2
    assert "[env.a]: server.port" in result.stderr


def test_an_unknown_variable_is_a_warning(invoke: Invoke) -> None:
    result = invoke("config", "check", DISPATCHER_LIMIT__ENABLED="false")
    assert result.exit_code == 0
    assert 'DISPATCHER_LIMIT__ENABLED; did you mean "DISPATCHER_LIMITS__ENABLED"?' in result.stderr


def test_show_prints_a_file_that_loads_to_the_same(invoke: Invoke, here: Path) -> None:
    (here / CONFIG_FILE).write_text((ROOT / CONFIG_FILE).read_text())
    shown = invoke("config", "show", "--env", "production", DISPATCHER_DISPATCH__LEASE="2500ms").stdout
    (here / CONFIG_FILE).write_text(shown)
    expected = load({"DISPATCHER_DISPATCH__LEASE": "2500ms"}, config=ROOT / CONFIG_FILE, env="production")
    assert load({}, directory=here).settings == expected.settings


def test_show_names_the_origin_of_every_value(invoke: Invoke, here: Path) -> None:
    (here / CONFIG_FILE).write_text("[server]\nport = 1\n")
    shown = invoke("config", "show", "--origin", DISPATCHER_LIMITS__ENABLED="false").stdout
    assert f"port = 1  # {CONFIG_FILE}\n" in shown
    assert "enabled = false  # DISPATCHER_LIMITS__ENABLED\n" in shown
    assert 'host = "127.0.0.1"  # default\n' in shown


def test_show_never_shows_a_secret(invoke: Invoke) -> None:
    result = invoke("config", "show", DISPATCHER_JWT_SECRET=SECRET)
    assert SECRET not in result.output
    assert "# DISPATCHER_JWT_SECRET: set\n" in result.stdout
    assert "# DISPATCHER_REDIS_URL: not set\n" in result.stdout


def test_a_missing_file_is_named(invoke: Invoke) -> None:
    result = invoke("config", "show", "--config", "none.toml")
    assert (result.exit_code, result.stderr) == (2, "dispatcher: none.toml: No such file or directory\n")
