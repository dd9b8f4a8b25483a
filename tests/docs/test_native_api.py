"""What the page and the SDK say about a task, a server and a listing is what the gateway answers."""

import re
from typing import Any

import pytest

from dispatcher.dialects.native import answers
from dispatcher.dialects.native.task_routes import FARTHEST, MOST_LISTED
from dispatcher.web.jsonbody import MAX_DEPTH, parse_object
from dispatcher_sdk import models
from dispatcher_sdk.flows import tasks
from tests.dialects.native.world import World
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


def test_the_bound_of_nesting() -> None:
    assert f"nested at most {MAX_DEPTH} levels" in PAGE
    assert f"a payload at most {MAX_DEPTH - 1}" in PAGE
    payload = b'{"x":' * (MAX_DEPTH - 1) + b"1" + b"}" * (MAX_DEPTH - 1)
    assert parse_object(b'{"payload":' + payload + b"}").raw_members["payload"] == payload


def test_the_bounds_of_a_listing() -> None:
    assert f"`limit` (1 to {MOST_LISTED}, 100)" in PAGE
    assert f"`offset + limit` is at most {FARTHEST:,}" in PAGE
    assert tasks.FARTHEST == FARTHEST


async def test_a_server_sees_no_tasks_as_the_table_of_rights_says() -> None:
    assert "| see tasks | its own | - | all | - |" in text("docs/explanation/security.md")
    world = World()
    server_id = await world.register()
    task_id = await world.create()
    assert world.backend_of(task_id) == server_id
    assert (await world.call("GET", f"/api/task/{task_id}", world.tokens.server(server_id))).status_code == 404
    await world.close()
