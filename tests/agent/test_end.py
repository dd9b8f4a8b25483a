"""What the gateway is told of a task's end."""

from typing import Any

import pytest

from dispatcher.agent.task import DEEPEST, End
from dispatcher.domain.errors import Invalid
from dispatcher.web.answer import encode_json
from dispatcher.web.jsonbody import parse_object


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "result",
    [float("nan"), float("inf"), {"x": [float("-inf")]}, 10**400, "\ud800", {"\udfff": 1}, nested(DEEPEST + 1)],
    ids=["nan", "inf", "inside", "large", "surrogate", "surrogate key", "deep"],
)
def test_a_result_that_the_gateway_would_not_take_fails_the_task(result: Any) -> None:
    message = End(result=result).message(("t1", 1))
    assert (message["status"], message["retryable"]) == ("FAILED", False)
    assert message["error"].startswith("The result cannot be sent: ")
    parse_object(encode_json(message))


@pytest.mark.parametrize("result", [None, True, 1.5, 2**60, "é", nested(DEEPEST), {"a": [{"b": None}]}])
def test_any_other_result_is_sent(result: Any) -> None:
    message = End(result=result).message(("t1", 1))
    assert message["status"] == "COMPLETED"
    parse_object(encode_json(message))


def test_one_level_more_would_be_refused() -> None:
    with pytest.raises(Invalid):
        parse_object(encode_json({"result": nested(DEEPEST + 1)}))
