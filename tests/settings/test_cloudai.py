"""The variables that the CloudAI document names: they set its listener and the place of its files, and nothing else."""

from pathlib import Path

import pytest

from dispatcher.settings import CONFIG_FILE, Loaded, SettingsError, load

LISTENERS = '[[listeners]]\ndialect = "jobs"\nport = 8080\n[[listeners]]\ndialect = "cloudai"\nport = 8081\n'


def _load(directory: Path, text: str, **environ: str) -> Loaded:
    (directory / CONFIG_FILE).write_text(text)
    return load(environ, directory=directory)


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        (":9000", "127.0.0.1", 9000), ("9000", "127.0.0.1", 9000), (" 0.0.0.0:9000 ", "0.0.0.0", 9000),  # noqa: S104
        ("gateway.local:80", "gateway.local", 80), ("[::1]:80", "::1", 80), (":0", "127.0.0.1", 0),
    ],
)  # fmt: skip
def test_the_port_is_that_of_its_listener_alone(tmp_path: Path, value: str, host: str, port: int) -> None:
    loaded = _load(tmp_path, LISTENERS, HTTP_PORT=value)
    jobs, cloudai = loaded.settings.listeners
    assert (cloudai.host, cloudai.port, jobs.port) == (host, port, 8080)
    assert loaded.origins["listeners"] == "HTTP_PORT"
    assert loaded.settings.server.port == 8787


def test_without_such_a_listener_it_means_nothing_and_says_so(tmp_path: Path) -> None:
    """Whatever it holds: `HTTP_PORT` may be somebody else's."""
    text = '[[listeners]]\ndialect = "jobs"\nport = 8080\n'
    loaded = _load(tmp_path, text, HTTP_PORT="tcp://10.0.0.1:80")
    assert [one.port for one in loaded.settings.listeners] == [8080]
    assert loaded.warnings == ("HTTP_PORT is ignored: no [[listeners]] has the dialect cloudai",)
    assert _load(tmp_path, "", HTTP_PORT=":1").settings.listeners == ()
    assert _load(tmp_path, "", HTTP_PORT="").warnings == ()


@pytest.mark.parametrize("value", ["http", ":", "a b:1", ":123456", ":70000", "8080:"])
def test_a_port_that_is_none_is_named(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(tmp_path, LISTENERS, HTTP_PORT=value)
    assert "HTTP_PORT" in str(refused.value)


def test_the_place_of_its_files(tmp_path: Path) -> None:
    settings = _load(tmp_path, '[cloudai]\nfiles_directory = "x"\n', CLOUDAI_FILES_DIR="/var/cloudai/files").settings
    assert (settings.cloudai.files_directory, settings.files.directory) == ("/var/cloudai/files", ".dispatcher/files")
    ours = _load(tmp_path, "", CLOUDAI_FILES_DIR="/a", DISPATCHER_CLOUDAI__FILES_DIRECTORY="/b").settings
    assert ours.cloudai.files_directory == "/b"


@pytest.mark.parametrize("text", ["", LISTENERS])
def test_what_means_nothing_is_said(tmp_path: Path, text: str) -> None:
    loaded = _load(tmp_path, text, GRPC_PORT=":50051", MONGODB_URI="mongodb://user:secret@host")
    assert [warning.split()[0] for warning in loaded.warnings] == ["GRPC_PORT", "MONGODB_URI"]
    assert "secret" not in str(loaded.warnings)
