"""Parts of files, and the names under which they are saved."""

import pytest
from starlette.datastructures import Headers

from dispatcher.domain.errors import OutOfRange
from dispatcher.web.download import attachment, byte_range, content_type
from dispatcher.web.errors import error_headers


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", (0, 1)), ("bytes=2-5", (2, 4)), ("bytes=5-", (5, 5)), ("bytes=-3", (7, 3)),
        ("bytes=-99", (0, 10)), ("bytes=8-99", (8, 2)), ("", None), ("bytes=", None),
        ("bytes=-", None), ("bytes=5-2", None), (f"bytes=0-{'9' * 20}", (0, 10)), (f"bytes=-{'9' * 5000}", (0, 10)),
        (f"bytes={'0' * 30}2-{'0' * 30}3", (2, 2)), ("Bytes=0-0", (0, 1)), ("bytes 0-0", None), ("bytes=20-15", None),
        ("bytes=0-1,4-5", None), ("lines=0-1", None), ("bytes=a-b", None), ("bytes= 0-1", None), ("bytes=²-", None),
    ],
)  # fmt: skip
def test_the_part_that_is_asked_for(asked: str, part: tuple[int, int] | None) -> None:
    assert byte_range(Headers({"Range": asked}), 10, '"e"') == part


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=0-", 0), (f"bytes={'9' * 20}-", 10),
        (f"bytes={'9' * 20}-{'9' * 21}", 10), (f"bytes={'9' * 5000}-", 10),
    ],
)  # fmt: skip
def test_a_part_that_is_not_there(asked: str, size: int) -> None:
    with pytest.raises(OutOfRange) as refused:
        byte_range(Headers({"Range": asked}), size, '"e"')
    assert error_headers(refused.value) == {"Content-Range": f"bytes */{size}"}


def test_the_end_of_an_empty_file_is_all_of_it() -> None:
    assert byte_range(Headers({"Range": "bytes=-5"}), 0, '"e"') is None


def test_a_part_of_another_version_is_all_of_it() -> None:
    asked = {"Range": "bytes=0-0"}
    assert byte_range(Headers({**asked, "If-Range": '"e"'}), 10, '"e"') == (0, 1)
    assert byte_range(Headers({**asked, "If-Range": '"f"'}), 10, '"e"') is None
    assert byte_range(Headers({**asked, "If-Range": "Tue, 15 Nov 1994 12:45:26 GMT"}), 10, '"e"') is None


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.txt", 'attachment; filename="a b.txt"'),
        ('"x\\y%', "attachment; filename=\"_x_y_\"; filename*=UTF-8''%22x%5Cy%25"),
        ("ä\r\nX: 1", "attachment; filename=\"___X: 1\"; filename*=UTF-8''%C3%A4%0D%0AX%3A%201"),
    ],
)
def test_names(name: str, header: str) -> None:
    assert attachment(name) == header


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("text/plain", "text/plain"), ("text/html; charset=utf-8", "text/html; charset=utf-8"),
        ("", "application/octet-stream"), ("text", "application/octet-stream"),
        ("text/plain\r\nX: 1", "application/octet-stream"), ("a/" + "b" * 99, "application/octet-stream"),
    ],
)  # fmt: skip
def test_types(given: str, used: str) -> None:
    assert content_type(Headers({"Content-Type": given})) == used
