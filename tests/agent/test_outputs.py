"""A task cannot have the agent read what it may not read itself."""

import os
from pathlib import Path

import pytest

from dispatcher.agent import outputs
from dispatcher.agent.outputs import found_in, left_out, open_owned


def test_only_regular_files_are_found_behind_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("x")
    output = tmp_path / "output"
    (output / "b").mkdir(parents=True)
    (output / "b" / "file").touch()
    (output / "a").touch()
    (output / "link").symlink_to(secret / "key")
    (output / "dir").symlink_to(secret)
    os.mkfifo(output / "pipe")
    assert ([name for name, _ in found_in(output)[0]], found_in(output)[1]) == (["a", "b/file"], 0)
    monkeypatch.setattr(outputs, "MOST_FILES", 1)
    assert ([name for name, _ in found_in(output)[0]], found_in(output)[1]) == (["a"], 1)
    (output / "c").touch()
    (output / "d").touch()
    monkeypatch.setattr(outputs, "MOST_COUNTED", 2)
    assert found_in(output)[1] == 2, "of three"
    assert left_out(1) == "[1 file left out: at most 1 are uploaded]"
    assert left_out(2) == "[2 files or more left out: at most 1 are uploaded]"
    output.rename(tmp_path / "moved")
    output.symlink_to(secret)
    assert found_in(output) == ([], 0)


def test_what_was_put_in_the_place_of_a_file_meanwhile_is_not_read(tmp_path: Path) -> None:
    file, link, pipe = tmp_path / "file", tmp_path / "link", tmp_path / "pipe"
    file.write_text("x")
    link.symlink_to(file)
    os.mkfifo(pipe)
    os.close(open_owned(file, os.geteuid()))
    for path, owner in ((link, os.geteuid()), (pipe, os.geteuid()), (file, os.geteuid() + 1)):
        with pytest.raises(OSError, match=r"not a file of the task|symbolic links"):
            open_owned(path, owner)
