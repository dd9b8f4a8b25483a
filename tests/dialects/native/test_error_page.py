"""The page of errors says what the code does."""

import inspect
import re
from pathlib import Path

from dispatcher.domain import errors, failure
from dispatcher.domain.errors import AlreadyEnded, DispatchError, MethodNotAllowed, RateLimited, RateState
from dispatcher.domain.transitions import TERMINAL
from dispatcher.web.errors import close_code_of, status_of

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "errors.md").read_text("utf-8")
CALLS, TASKS = PAGE.split("## Why a task failed")


def _made(kind: type[DispatchError]) -> DispatchError:
    if issubclass(kind, RateLimited):
        return kind("x", RateState(1, 0, 0), 1)
    return kind("x", ("GET",)) if issubclass(kind, MethodNotAllowed) else kind("x")


def test_every_code_of_a_call_with_its_status_and_close_code() -> None:
    kinds = [k for _, k in inspect.getmembers(errors, inspect.isclass) if issubclass(k, DispatchError)]
    expected = {(kind.code, status_of(kind), close_code_of(_made(kind))) for kind in kinds if kind is not AlreadyEnded}
    ended = AlreadyEnded("x")
    expected |= {(state.value, status_of(ended), close_code_of(ended)) for state in TERMINAL}
    rows = re.findall(r"^\| (`.+?`) \| (\d+) \| (\d+) \|", CALLS, re.MULTILINE)
    shown = {(code, int(status), int(close)) for codes, status, close in rows for code in re.findall(r"`(\w+)`", codes)}
    assert shown == expected


def test_every_code_of_a_failed_task() -> None:
    codes = {value for name, value in vars(failure).items() if name.isupper() and isinstance(value, str)}
    assert set(re.findall(r"^\| `(\w+)` \|", TASKS, re.MULTILINE)) == codes
