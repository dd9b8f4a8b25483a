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
    found = found_in(output)
    assert ([name for name, _ in found.files], found.beyond) == (["a", "b/file"], 0)
    assert found.lines() == ["[not uploaded, being no regular file that can be read: 'dir', 'link', 'pipe']"]
    monkeypatch.setattr(outputs, "MOST_FILES", 1)
    found = found_in(output)
    assert ([name for name, _ in found.files], found.beyond) == (["a"], 1)
    (output / "c").touch()
    (output / "d").touch()
    monkeypatch.setattr(outputs, "MOST_COUNTED", 2)
    assert found_in(output).beyond == 2, "of three"
    assert left_out(1) == "[1 file left out: at most 1 are uploaded]"
    assert left_out(2) == "[2 files or more left out: at most 1 are uploaded]"
    output.rename(tmp_path / "moved")
    output.symlink_to(secret)
    moved = found_in(output)
    assert (moved.files, moved.lines()) == ([], ["[nothing was uploaded: OUTPUT_DIR is no directory any more]"])
    output.unlink()
    assert found_in(output).lines() == [], "a command may remove it"
    output.touch()
    assert not found_in(output).whole


def test_of_many_that_are_no_files_a_few_are_named(tmp_path: Path) -> None:
    for number in range(1_007):
        (tmp_path / f"{number:04}").symlink_to("/")
    assert found_in(tmp_path).lines() == [
        "[not uploaded, being no regular file that can be read: '0000', '0001', '0002', '0003', '0004' and 1,002 more]"
    ]


def test_what_was_put_in_the_place_of_a_file_meanwhile_is_not_read(tmp_path: Path) -> None:
    file, link, pipe = tmp_path / "file", tmp_path / "link", tmp_path / "pipe"
    file.write_text("x")
    link.symlink_to(file)
    os.mkfifo(pipe)
    os.close(open_owned(file, os.geteuid()))
    for path, owner in ((link, os.geteuid()), (pipe, os.geteuid()), (file, os.geteuid() + 1)):
        with pytest.raises(OSError, match=r"not a file of the task|symbolic links"):
            open_owned(path, owner)
