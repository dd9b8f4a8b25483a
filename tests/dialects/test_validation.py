"""What a caller is told of a field, in words of ours."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, Field

from dispatcher.dialects.validation import RequestModel, WebUrl, validate
from dispatcher.domain.errors import Invalid


class Inner(RequestModel):
    n: int = Field(default=0, gt=0, lt=9)


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even {so}")
    return value


class Body(RequestModel):
    names: Annotated[list[str], Field(min_length=1, max_length=2)] = Field(default=["a"])
    map: Annotated[dict[str, int], Field(max_length=1)] = Field(default={})
    text: Annotated[str, Field(min_length=1, max_length=3)] = "a"
    size: float = Field(default=0, ge=0, le=10)
    word: Literal["a", "b"] = "a"
    even: Annotated[int, AfterValidator(_even)] = 0
    url: WebUrl = "http://a"
    inner: Inner | None = None
    either: int | list[int] = 0
    raw: bytes = b""


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("names", [], "must have at least 1 entry"),
        ("names", ["a"] * 3, "must have at most 2 entries"),
        ("names", "a", "must be a list"),
        ("map", {"a": 1, "b": 2}, "must have at most 1 entry"),
        ("text", "", "must have at least 1 character"),
        ("text", "abcd", "must have at most 3 characters"),
        ("text", 5, "must be a string"),
        ("size", -1, "must be at least 0"),
        ("size", 11, "must be at most 10"),
        ("size", "1", "must be a number"),
        ("word", "c", "must be 'a' or 'b'"),
        ("even", 3, "must be even {so}"),
        ("url", "ftp://a", "must be an absolute http or https URL"),
        ("inner", {"n": 0}, "must be more than 0"),
        ("inner", {"n": 9}, "must be less than 9"),
        ("inner", [], "must be an object"),
        ("raw", 5, "is not valid"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(field: str, value: Any, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        validate(Body, {field: value})
    name = f"{field}.n" if isinstance(value, dict) and field == "inner" else field
    assert (refused.value.message, refused.value.field) == (f"Invalid field {name}: {text}", name)
