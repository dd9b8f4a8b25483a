"""Order, origins, and what is wrong with a configuration."""

from pathlib import Path

import pytest

from dispatcher.settings import CONFIG_FILE, SettingsError, load


def _write(directory: Path, text: str) -> Path:
    path = directory / CONFIG_FILE
    path.write_text(text)
    return path


def _problems(directory: Path, text: str, **variables: str) -> str:
    _write(directory, text)
    with pytest.raises(SettingsError) as caught:
        load(variables, directory=directory)
    return str(caught.value)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    loaded = load({}, directory=tmp_path)
    assert loaded.settings.server.port == 8787
    assert loaded.settings.dispatch.lease == 15_000
    assert loaded.settings.server.max_body == 1 << 20
    assert loaded.origins == {}


def test_each_source_beats_the_one_before(tmp_path: Path) -> None:
    _write(tmp_path, "[server]\nport = 1\n[env.production.server]\nport = 2\n")
    steps: list[tuple[dict[str, str], str | None, dict[str, int], int, str]] = [
        ({}, None, {}, 1, CONFIG_FILE),
        ({}, "production", {}, 2, f"{CONFIG_FILE} [env.production]"),
        ({"DISPATCHER_ENV": "production"}, None, {}, 2, f"{CONFIG_FILE} [env.production]"),
        ({"DISPATCHER_ENV_FILE": str(tmp_path / "vars")}, "production", {}, 3, "vars DISPATCHER_SERVER__PORT"),
        ({"DISPATCHER_SERVER__PORT": "4"}, "production", {}, 4, "DISPATCHER_SERVER__PORT"),
        ({"DISPATCHER_SERVER__PORT": "4"}, "production", {"server.port": 5}, 5, "--port"),
    ]
    (tmp_path / "vars").write_text("# ours\nexport DISPATCHER_SERVER__PORT='3'\nOTHER=1\n")
    for environ, env, flags, port, origin in steps:
        loaded = load(environ, directory=tmp_path, env=env, flags=flags)
        assert (loaded.settings.server.port, loaded.origins["server.port"]) == (port, origin)


def test_an_env_file_beside_the_configuration_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DISPATCHER_JWT_SECRET=from-the-file\nDISPATCHER_SERVER__PORT=3\n")
    loaded = load({"DISPATCHER_SERVER__PORT": "4"}, directory=tmp_path)
    assert loaded.environ["DISPATCHER_JWT_SECRET"] == "from-the-file"
    assert loaded.settings.server.port == 4


def test_overlays_merge_key_by_key_and_replace_lists(tmp_path: Path) -> None:
    _write(
        tmp_path,
        '[server]\nhost = "::"\nport = 1\n[triggers]\ncrons = ["* * * * *", "0 * * * *"]\n'
        '[env.production.server]\nport = 2\n[env.production.triggers]\ncrons = ["5 * * * *"]\n',
    )
    settings = load({}, directory=tmp_path, env="production").settings
    assert (settings.server.host, settings.server.port) == ("::", 2)
    assert settings.triggers.crons == ("5 * * * *",)


def test_rate_limits_can_be_turned_off_by_a_variable(tmp_path: Path) -> None:
    assert not load({"DISPATCHER_LIMITS__ENABLED": "false"}, directory=tmp_path).settings.limits.enabled


def test_lists_come_from_variables_too(tmp_path: Path) -> None:
    for text in ('["* * * * *", "0 1 * * *"]', "* * * * *, 0 1 * * *"):
        crons = load({"DISPATCHER_TRIGGERS__CRONS": text}, directory=tmp_path).settings.triggers.crons
        assert crons == ("* * * * *", "0 1 * * *")


def test_vars_fill_in_texts(tmp_path: Path) -> None:
    _write(tmp_path, '[vars]\nDOMAIN = "a"\n[server]\npublic_url = "https://${DOMAIN}/"\n[env.b.vars]\nDOMAIN = "b"\n')
    assert load({}, directory=tmp_path).settings.server.public_url == "https://a/"
    assert load({}, directory=tmp_path, env="b").settings.server.public_url == "https://b/"
    assert load({"DISPATCHER_VARS__DOMAIN": "c"}, directory=tmp_path).settings.server.public_url == "https://c/"
    assert "[vars] has no NO" in _problems(tmp_path, '[server]\npublic_url = "${NO}"\n')


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[server]\nprot = 1\n", f'{CONFIG_FILE}: unknown key "server.prot"; did you mean "server.port"?'),
        ("[sever]\nport = 1\n", f'{CONFIG_FILE}: unknown key "sever"; did you mean "server"?'),
        ("[env.production.limits]\ncreates = 1\n", 'unknown key "env.production.limits.creates"; did you mean'),
        ("[[listeners]]\nport = 1\nhots = 2\n", 'unknown key "listeners[0].hots"; did you mean "listeners[0].host"?'),
        ('[auth]\njwt_secret = "x"\n', '"auth.jwt_secret" looks like a secret'),
        ('[vars]\nAPI_TOKEN = "x"\n', '"vars.API_TOKEN" looks like a secret'),
        ("[server]\nport = 70000\n", f"{CONFIG_FILE}: server.port: Input should be less than or equal to 65535"),
        ("[dispatch]\nlease = 15\n", 'dispatch.lease: wants a number and one of ms, s, m, h, d, like "15s"'),
        ('[server]\nmax_body = "1MB"\n', 'server.max_body: wants a number and one of B, KiB, MiB, GiB, like "1MiB"'),
        ('[balancer]\nalgorithm = "round-robbin"\n', "balancer.algorithm: unknown balancing policy 'round-robbin'"),
        ('[triggers]\ncrons = ["* *"]\n', "a cron line has five fields"),
        ("[[listeners]]\nport = 1\n[[listeners]]\nport = 1\n", "two listeners name the same port"),
        ("[[redis_namespaces]]\n[[redis_namespaces]]\n", "redis_namespaces: Tuple should have at most 1 item"),
        ("env = 1\n", '"env" holds tables only'),
        ("[server\n", f"{CONFIG_FILE}: not TOML"),
    ],
)
def test_a_problem_names_its_place_and_the_way_out(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in _problems(tmp_path, text)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    assert len(_problems(tmp_path, "[server]\na = 1\nb = 2\n").splitlines()) == 2


def test_a_bad_variable_is_named(tmp_path: Path) -> None:
    assert _problems(tmp_path, "", DISPATCHER_SERVER__PORT="x").startswith("DISPATCHER_SERVER__PORT: server.port: ")
    assert _problems(tmp_path, "", DISPATCHER_TRIGGERS__CRONS="[").startswith("DISPATCHER_TRIGGERS__CRONS: ")


def test_an_unknown_variable_is_a_warning(tmp_path: Path) -> None:
    loaded = load({"DISPATCHER_SERVER__PROT": "1", "DISPATCHER_SERVER_ID": "x", "PATH": "y"}, directory=tmp_path)
    assert loaded.warnings == ('unknown variable DISPATCHER_SERVER__PROT; did you mean "DISPATCHER_SERVER__PORT"?',)


def test_an_overlay_that_is_asked_for_must_exist(tmp_path: Path) -> None:
    _write(tmp_path, "[env.production.server]\nport = 2\n")
    with pytest.raises(SettingsError, match=r'no \[env.prodution\]; did you mean "production"'):
        load({}, directory=tmp_path, env="prodution")


def test_a_file_that_is_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load({}, config=tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="No such file"):
        load({"DISPATCHER_ENV_FILE": str(tmp_path / "none")}, directory=tmp_path)
