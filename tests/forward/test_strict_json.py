import pytest

from dispatcher.forward.strict_json import MAX_DEPTH, read_json


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"null", None),
        (b' {"a": [1, 2.5, "\\ud800"]} ', {"a": [1, 2.5, "\ud800"]}),
        ('{"ü": "日本"}'.encode(), {"ü": "日本"}),
    ],
)
def test_json(raw: bytes, value: object) -> None:
    assert read_json(raw) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"{'a':1}",
        b'{"a":1}x',
        b"NaN",
        b"[Infinity]",
        b'{"a":-Infinity}',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        b'"\xff"',
        b"1" * 5000,
        b"[" * 100_000,
    ],
    ids=range(12),
)
def test_no_json(raw: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(raw)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth(opening: bytes, closing: bytes) -> None:
    deep = MAX_DEPTH - len([1])
    assert read_json(opening * deep + b"[]" + closing * deep)
    with pytest.raises(ValueError, match="deep"):
        read_json(opening * (deep + 1) + b"[]" + closing * (deep + 1))
