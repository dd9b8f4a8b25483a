"""The printed request is one that a shell understands."""

import shlex
from pathlib import Path

from dispatcher.dev.banner import banner, example_request


def test_the_request_is_one_line_of_shell() -> None:
    words = shlex.split(example_request("http://h:1", Path("/a dir/token")))
    assert words[:2] == ["curl", "http://h:1/api/task"]
    assert "\n" not in example_request("http://h:1", Path("/a"))


def test_a_path_with_blanks_is_quoted_inside_the_substitution() -> None:
    assert "$(cat '/a dir/token')" in example_request("http://h:1", Path("/a dir/token"))


def test_an_engine_that_saves_nothing_comes_with_a_way_out() -> None:
    def shown(*, durable: bool) -> str:
        return banner(
            version="1", url="u", engine="e", durable=durable, token_file=Path("t"), servers=[], algorithm="random"
        )

    assert "pip install '.[embedded]'" in shown(durable=False)
    assert "pip install '.[embedded]'" not in shown(durable=True)
    assert "none (register one" in shown(durable=True)
