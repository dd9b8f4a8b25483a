"""The SDK and the gateway agree: every field that the native API answers or takes has its place in the SDK."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

import dispatcher_sdk as sdk
from dispatcher.dialects.native import answers, output_answers, requests
from dispatcher_sdk.flows import servers, tasks

ANSWERS: list[tuple[type[BaseModel], Any]] = [
    (sdk.Task, answers.TaskAnswer),
    (sdk.Task, answers.CreatedAnswer),
    (sdk.Attempt, answers.AttemptAnswer),
    (sdk.TaskAck, answers.TaskMessage),
    (sdk.Server, answers.ServerAnswer),
    (sdk.ServerAck, answers.RegisteredAnswer),
    (sdk.ServerAck, answers.ServerMessage),
    (sdk.ServerAck, answers.ServerStatusAnswer),
    (sdk.ServerMetrics, answers.MetricsAnswer),
    (sdk.ServerFigures, answers.MetricsFields),
    (sdk.TaskStats, answers.TaskStatsAnswer),
    (sdk.TopServer, answers.TopServer),
    (sdk.Processed, answers.Processed),
    (sdk.HourlyTasks, answers.HourTasks),
    (sdk.HourlyReport, answers.HourlyAnswer),
    (sdk.Hour, answers.HourAnswer),
    (sdk.ServerStats, answers.ServerStatsAnswer),
    (sdk.LoadBalancerStatus, answers.BalancerAnswer),
    (sdk.ServerLoad, answers.ServerLoadAnswer),
    (sdk.AlgorithmAck, answers.AlgorithmAnswer),
    (sdk.LogLine, output_answers.LogLineAnswer),
    (sdk.LogPage, output_answers.LogPageAnswer),
    (sdk.TaskFile, output_answers.FileAnswer),
]


@pytest.mark.parametrize(("model", "answer"), ANSWERS)
def test_every_field_of_an_answer_is_in_the_model(model: type[BaseModel], answer: Any) -> None:
    known = {field.alias or name for name, field in model.model_fields.items()}
    assert set(answer.__annotations__) <= known
    required = {field.alias or name for name, field in model.model_fields.items() if field.is_required()}
    assert required <= set(answer.__required_keys__), "the SDK may not insist on what the gateway may leave out"


@pytest.mark.parametrize(
    ("flow", "body", "not_arguments"),
    [
        (tasks.submit, requests.CreateTask, {"async"}),  # the SDK always submits and then waits
        (tasks.update, requests.UpdateTask, set()),
        (tasks.pause, requests.Steer, set()),
        (tasks.resume, requests.Steer, set()),
        (servers.register, requests.RegisterServer, set()),
        (servers.heartbeat, requests.Heartbeat, set()),
        (servers.maintenance, requests.SetMaintenance, {"maintenance"}),  # its argument is called enabled
    ],
)
def test_every_field_of_a_request_is_an_argument(
    flow: Callable[..., Any], body: type[BaseModel], not_arguments: set[str]
) -> None:
    arguments = {to_camel(name) for name in inspect.signature(flow).parameters}
    fields = {field.alias or to_camel(name) for name, field in body.model_fields.items()}
    assert fields - not_arguments <= arguments
