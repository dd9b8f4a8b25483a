"""Where jobs run: as another user, never below a directory which that user cannot enter."""

import tempfile
from pathlib import Path

import pytest

from dispatcher.sandbox import place as module
from dispatcher.sandbox.place import place


def test_without_another_user_it_is_where_temporary_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with place(None) as here:
        assert here.binary.is_relative_to(tmp_path)


def test_another_user_s_place_is_not_behind_a_closed_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, open_ = tmp_path / "closed", Path(tempfile.gettempdir())
    closed.mkdir(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(closed))
    monkeypatch.setattr(module, "SHARED", (str(open_),))
    monkeypatch.setattr(module, "_open_to_all", lambda directory: directory == open_)
    assert module.base_for((65534, 65534)) == str(open_)
    assert module.base_for(None) == str(closed)


def test_a_directory_is_open_when_every_step_to_it_is(tmp_path: Path) -> None:
    inner = tmp_path / "a"
    inner.mkdir(0o755)
    tmp_path.chmod(0o700)
    assert not module._open_to_all(inner)
    assert module._open_to_all(Path("/"))
