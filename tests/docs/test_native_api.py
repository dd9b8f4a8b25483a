"""What the page and the SDK say about a task, a server and a listing is what the gateway answers."""

import re
from typing import Any

import pytest

from dispatcher.dialects.native import answers
from dispatcher.dialects.native.task_routes import FARTHEST, MOST_LISTED
from dispatcher_sdk import models
from dispatcher_sdk.flows import tasks
from tests.docs.pages import text

PAGE = text("docs/reference/native-api.md")
DOCUMENTED = {"id", "status", "progress", "serverId", "createdAt", "updatedAt"}  # in the native API document


def test_the_added_fields_of_a_task_are_all_on_the_page() -> None:
    (sentence,) = re.findall(r"Added to the documented fields: (.*?)\.\n", PAGE, re.DOTALL)
    listed = re.findall(r"`(\w+)`", sentence)
    assert sorted(listed) == sorted(answers.TaskAnswer.__annotations__.keys() - DOCUMENTED - {"state"})
    assert "`state` is the finer word" in PAGE


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (models.Task, answers.TaskAnswer),
        (models.Attempt, answers.AttemptAnswer),
        (models.Server, answers.ServerAnswer),
    ],
)
def test_the_sdk_has_the_fields_of_an_answer_and_no_other(model: type[models.Model], answer: Any) -> None:
    assert {field.alias for field in model.model_fields.values()} == set(answer.__annotations__)


def test_the_bounds_of_a_listing() -> None:
    assert f"`limit` (1 to {MOST_LISTED}, 100)" in PAGE
    assert f"`offset + limit` is at most {FARTHEST:,}" in PAGE
    assert tasks.FARTHEST == FARTHEST
