"""The examples of the job queue's document, replayed. An answer must have every documented member with its type;
where the situation can be made the same, also its value (`exact`). Only hashes that the document elides are written
out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.dialects.jobs.world import World

GOLDEN = {path.stem: json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "golden").glob("*.json"))}
SUBMIT = GOLDEN["submit_job"]["request"]["body"]
CLAIM = GOLDEN["claim_job"]["request"]["body"]
DONE = GOLDEN["complete_job"]["request"]["body"]
SHOWN = {name: GOLDEN["get_job"]["answer"][name] for name in ("arguments", "binary_sha256", "env_variables")}


async def _given(world: World, situation: str) -> dict[str, str]:
    """Brings the situation about; answers what the placeholders stand for."""
    if situation == "nothing":
        return {}
    job_id = await world.submit(**{**SUBMIT, **SHOWN})
    world.clock.advance(60_000)
    if situation in ("a running job", "a completed job", "one of each"):
        assert (await world.call("POST", "/jobs/claim", "worker", CLAIM)).status_code == 200
        if situation == "a running job":
            world.clock.advance(30_000)
            assert (await world.tell("heartbeat", job_id)).status_code == 200
        else:
            world.clock.advance(60_000)
            assert (await world.call("PUT", f"/jobs/{job_id}/complete", "worker", DONE)).status_code == 200
    other = await world.submit() if situation in ("two pending jobs", "one of each") else ""
    return {"{job}": job_id, "550e8400-e29b-41d4-a716-446655440000": job_id} | (
        {"660e8400-e29b-41d4-a716-446655440001": other} if other else {}
    )


def _fill(node: Any, known: dict[str, str]) -> Any:
    text = json.dumps(node)
    for placeholder, value in known.items():
        text = text.replace(placeholder, value)
    return json.loads(text)


def _same_shape(documented: Any, given: Any, path: str) -> None:
    if isinstance(documented, dict):
        assert isinstance(given, dict), path
        for name, value in documented.items():
            assert name in given, f"{path}.{name} is missing"
            if given[name] is not None:
                _same_shape(value, given[name], f"{path}.{name}")
    elif isinstance(documented, list):
        assert isinstance(given, list), path
        for one in given[: len(documented)]:
            _same_shape(documented[0], one, f"{path}.0")
    else:
        assert type(given) is type(documented), path


def _at(node: Any, path: str) -> Any:
    for key in path.split("."):
        node = node[int(key)] if isinstance(node, list) else node[key]
    return node


def test_every_documented_operation_but_the_metrics_has_an_example(world: World) -> None:
    registered = {operation.id for operation in world.dialect("required").operations}
    named = {"".join(part.title() if place else part for place, part in enumerate(name.split("_"))) for name in GOLDEN}
    assert named == registered - {"metrics"}


@pytest.mark.parametrize("name", GOLDEN)
async def test_the_documented_example(world: World, name: str) -> None:
    golden = GOLDEN[name]
    known = await _given(world, golden["given"])
    request, documented = _fill(golden["request"], known), _fill(golden["answer"], known)
    answer = await world.call(request["method"], request["path"], request["caller"], request["body"], prefix="/jobs")
    assert answer.status_code == golden["status"], answer.text
    assert answer.headers["Content-Type"] == "application/json"
    if documented is not None:
        _same_shape(documented, answer.json(), name)
    for path in golden["exact"]:
        assert _at(answer.json(), path) == _at(documented, path), path
