"""What holds for the OpenAPI document of every dialect."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import TypeAdapter

from dispatcher.dialects.operation import Operation


def refs(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from refs(child)
    elif isinstance(node, list):
        for child in node:
            yield from refs(child)


def check_document(document: dict[str, Any], operations: Sequence[Operation]) -> None:
    """Every operation is described, and nothing else; every reference resolves; nothing that is needed is missing."""
    assert document["openapi"] == "3.1.0"
    described = {
        (operation["operationId"], method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(described) == {(one.id, one.method, one.path.replace(":path", "")) for one in operations}
    assert {operation["tags"][0] for operation in described.values()} == {tag["name"] for tag in document["tags"]}
    with_body = {one.id for one in operations if one.request is not None or one.accepts}
    assert all(one.method in ("POST", "PUT") for one in operations if one.id in with_body)
    for (_, _, path), operation in described.items():
        names = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert names == set(re.findall(r"{(\w+)}", path))
        assert ("requestBody" in operation) == (operation["operationId"] in with_body)
        assert {"200", "201", "204"} & operation["responses"].keys()
        assert ("401" in operation["responses"]) == bool(operation["security"])
        assert "500" in operation["responses"]
    for ref in refs(document):
        at: Any = document
        for key in ref.removeprefix("#/").split("/"):
            at = at[key]
        assert isinstance(at, dict)


def check_examples(operations: Sequence[Operation]) -> None:
    """Each operation has one, in the form that its schemas ask for, and the answer complete."""
    for operation in operations:
        assert operation.example is not None, operation.id
        assert set(re.findall(r"{(\w+)}", operation.path)) == operation.example.path.keys(), operation.id
        for kind, example in (
            (operation.answer, operation.example.answer),
            (operation.request, operation.example.request),
        ):
            assert (kind in (None, bytes)) == (example is None), operation.id
            if example is not None:
                TypeAdapter(kind).validate_python(example)


def check_answer(operation: Operation, answer: Any) -> None:
    """A real answer has no member that the document does not know."""
    adapter = TypeAdapter(operation.answer)
    assert adapter.dump_python(adapter.validate_python(answer)) == answer, operation.id


def check_told(document: dict[str, Any], method: str, path: str, status: int) -> None:
    """An operation answers nothing but what the document tells of it."""
    for template in sorted(document["paths"], key=lambda one: "{" in one):
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            operation = document["paths"][template].get(method.lower())
            assert operation is None or str(status) in operation["responses"], f"{method} {path}: {status}"
            return
