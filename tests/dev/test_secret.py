"""Secrets of a state directory."""

from pathlib import Path

from dispatcher.auth.secret import check_secret
from dispatcher.dev.secret import development_secret, write_private


def test_each_directory_has_a_strong_secret_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = development_secret(tmp_path / "a")
    check_secret(first)
    assert development_secret(tmp_path / "a") == first
    assert development_secret(tmp_path / "b") != first


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    development_secret(tmp_path)
    assert (tmp_path / "jwt-secret").stat().st_mode & 0o777 == 0o600


def test_a_private_file_is_made_private_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old and longer")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
