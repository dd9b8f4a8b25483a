"""Names of files."""

import pytest

from dispatcher.domain.errors import Invalid
from dispatcher.domain.file import PATH_CHARS, relative_path


@pytest.mark.parametrize(
    ("given", "path"),
    [("a", "a"), ("a//b/./c.txt", "a/b/c.txt"), ("./a", "a"), ("ä b/..c", "ä b/..c"), ("x" * PATH_CHARS,) * 2],
)
def test_names_are_made_plain(given: str, path: str) -> None:
    assert relative_path(given) == path


@pytest.mark.parametrize(
    "given",
    ["", ".", "/", "/etc/passwd", "..", "../a", "a/../b", "a/..", "a/", "a/.", "a\x00b", "a\nb", "a\x85", "a\\b",
     "\ud800", "x" * (PATH_CHARS + 1)],
)  # fmt: skip
def test_what_is_no_name(given: str) -> None:
    with pytest.raises(Invalid):
        relative_path(given)
