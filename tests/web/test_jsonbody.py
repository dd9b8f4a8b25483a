import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.errors import Invalid, UnsupportedMedia
from dispatcher.web.jsonbody import MAX_DEPTH, parse_array, parse_object, require_json
from tests.web.asgi import http_scope

BAD = {
    "empty": b"",
    "blank": b" \n ",
    "a list": b"[1]",
    "a string": b'"x"',
    "a number": b"1",
    "null": b"null",
    "cut": b'{"a":1',
    "cut in a string": b'{"a":"x',
    "cut in a name": b'{"a',
    "cut after a colon": b'{"a":',
    "cut after an escape": b'{"a":"\\',
    "only a brace": b"{",
    "trailing comma": b'{"a":1,}',
    "leading comma": b'{,"a":1}',
    "no comma": b'{"a":1 "b":2}',
    "no colon": b'{"a" 1}',
    "bare name": b"{a:1}",
    "single quotes": b"{'a':1}",
    "trailing text": b'{"a":1}x',
    "two objects": b'{"a":1}{"a":1}',
    "comment": b'{"a":1/*x*/}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":[-Infinity]}',
    "1e999": b'{"a":1e999}',
    "-1e999": b'{"a":{"b":-1e999}}',
    "leading zero": b'{"a":01}',
    "plus": b'{"a":+1}',
    "hex": b'{"a":0x10}',
    "bare dot": b'{"a":.5}',
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "latin-1": b'{"a":"\xe9"}',
    "encoded surrogate": b'{"a":"\xed\xa0\x80"}',
    "overlong": b'{"a":"\xc0\xaf"}',
    "lone high surrogate": b'{"a":"\\ud800"}',
    "lone low surrogate": b'{"a":["\\udc00"]}',
    "surrogate in a name": b'{"\\ud800":1}',
    "duplicate name": b'{"a":1,"a":2}',
    "duplicate name, escaped": b'{"a":1,"\\u0061":2}',
    "nested duplicate": b'{"a":{"b":1,"b":1}}',
    "duplicate in a list": b'{"a":[{"b":1,"b":1}]}',
    "control character": b'{"a":"\x01"}',
    "raw newline": b'{"a":"\n"}',
    "no-break space": b'{"a":\xc2\xa01}',
    "too deep": b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    "far too deep": b'{"a":' + b"[" * 400_000,
    "far too deep objects": b'{"a":' * 150_000,
    "too many digits": b'{"a":' + b"9" * 4301 + b"}",
    "bad escape": b'{"a":"\\x"}',
    "bad unicode escape": b'{"a":"\\u12g4"}',
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_whatever_is_wrong_is_invalid(raw: bytes) -> None:
    with pytest.raises(Invalid):
        parse_object(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b' {"a" : 1 } \n',
        b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}",
        b'{"a":"[[[[{{{{\\"[["}',
        b'{"a":"\\ud83d\\ude00 \xf0\x9f\x98\x80"}',
        b'{"a":' + b"9" * 4300 + b"}",
        b'{"a":-0.0e-5,"b":[true,false,null]}',
    ],
)
def test_what_is_right_is_read_as_json_reads_it(raw: bytes) -> None:
    assert parse_object(raw).members == json.loads(raw)


@given(st.binary(max_size=200))
def test_no_bytes_fail_otherwise(raw: bytes) -> None:
    try:
        parse_object(raw)
    except Invalid:
        return
    assert isinstance(json.loads(raw), dict)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), _VALUES, max_size=5), st.booleans())
def test_members_keep_their_text(value: dict[str, object], escaped: bool) -> None:
    found = parse_object(json.dumps(value, ensure_ascii=escaped, indent=1).encode())
    assert found.members == value
    assert {name: json.loads(raw) for name, raw in found.raw_members.items()} == value


def test_the_text_of_a_member_is_what_came() -> None:
    found = parse_object('{ "p" : { "n": 1.10, "t":"é\\u00e9" } , "q":2}'.encode())
    assert found.raw_members == {"p": '{ "n": 1.10, "t":"é\\u00e9" }'.encode(), "q": b"2"}


@pytest.mark.parametrize("raw", [b'{"a":"' + b'\\"' * 500_000, b'{"a":' + b'"' * 1_000_000, b" " * 1_000_000 + b"{"])
def test_hostile_texts_cost_linear_time(raw: bytes) -> None:
    started = time.process_time()
    with pytest.raises(Invalid):
        parse_object(raw)
    assert time.process_time() - started < 5  # quadratic would be minutes


@pytest.mark.parametrize(
    "given",
    [[], ["text/plain"], ["application/json; charset=latin-1"], ["application/json", "application/json"], ["json"]],
)
def test_other_media_types_are_refused(given: list[str]) -> None:
    with pytest.raises(UnsupportedMedia):
        require_json(http_scope(headers=[("content-type", value) for value in given]))


@pytest.mark.parametrize(
    "given", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_in_utf8_is_accepted(given: str) -> None:
    require_json(http_scope(headers=[("content-type", given)]))


@pytest.mark.parametrize("raw", [b"[]", b' [1, {"a": "\\u00e4"}] \n'])
def test_an_array(raw: bytes) -> None:
    assert parse_array(raw) == json.loads(raw)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1", b"[1]x", b"[1],[2]", b'[{"a":1,"a":2}]', b"[NaN]", b"[" * 40, b"1"])
def test_no_array(raw: bytes) -> None:
    with pytest.raises(Invalid):
        parse_array(raw)
