"""OpenAPI 3.1 from the registry of operations."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from dispatcher.dialects.operation import Operation
from dispatcher.dialects.socket_operation import SocketOperation
from dispatcher.domain.errors import DispatchError, RateLimited, Unauthorized, Unavailable
from dispatcher.web.errors import status_of
from dispatcher.web.rates import Rate

_RATE_HEADERS = {
    "X-RateLimit-Limit": "Calls per minute",
    "X-RateLimit-Remaining": "Calls left in this minute",
    "X-RateLimit-Reset": "End of this minute, epoch seconds",
}


WordOf = Callable[[type[DispatchError]], str]


def _own_word(kind: type[DispatchError]) -> str:
    return kind.code


def openapi(
    operations: Sequence[Operation],
    *,
    title: str,
    version: str,
    description: str,
    tags: dict[str, str],
    error: Any,
    word_of: WordOf = _own_word,
    sockets: Sequence[SocketOperation] = (),
) -> dict[str, Any]:
    """The document. `error` is the type of the error body, `tags` maps names to descriptions, `word_of` errors to the
    codes that the API has for them."""
    schemas, refs = _schemas(tuple((one.id, one.answer, one.request) for one in operations), error)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = operation.path.replace(":path}", "}")
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, refs, word_of)
    for socket in sockets:
        paths.setdefault(socket.path, {})["get"] = socket.to_openapi(refs["", "error"])
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description},
        "tags": [{"name": name, "description": text} for name, text in tags.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "callback": {"type": "apiKey", "in": "header", "name": "X-Callback-Token"},
            },
        },
    }


_Refs = dict[tuple[str, str], dict[str, Any]]


@functools.lru_cache(maxsize=8)
def _schemas(bodies: tuple[tuple[str, Any, Any], ...], error: Any) -> tuple[dict[str, Any], _Refs]:
    """Component schemas, and the reference to use for (operation id, request | answer); ("", error) for errors.

    `bodies` are the types of (operation id, answer, request). They are nearly all of the work of a document, and the
    same for every gateway in a process: read the result, do not change it.
    """
    inputs: list[tuple[tuple[str, str], JsonSchemaMode, TypeAdapter[Any]]] = [
        (("", "error"), "serialization", TypeAdapter(error))
    ]
    for name, answer, request in bodies:
        inputs.append(((name, "answer"), "serialization", TypeAdapter(answer)))
        if request is not None:
            inputs.append(((name, "request"), "validation", TypeAdapter(request)))
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    return definitions.get("$defs", {}), {key: schema for (key, _), schema in found.items()}


def _operation(operation: Operation, refs: _Refs, word_of: WordOf) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _who(operation),
        "parameters": [*_path_parameters(operation), *(one.to_openapi() for one in operation.parameters)],
        "responses": {**_failures(operation, refs, word_of), **_success(operation, refs)},
        "security": _security(operation),
    }
    if operation.request is not None:
        content: dict[str, Any] = {"schema": refs[operation.id, "request"]}
        if operation.example is not None and operation.example.request is not None:
            content["example"] = operation.example.request
        made["requestBody"] = {"required": not operation.body_optional, "content": {"application/json": content}}
    elif operation.accepts:
        binary = {"schema": {"type": "string", "format": "binary"}}
        made["requestBody"] = {"required": True, "content": {operation.accepts: binary}}
    return made


def _who(operation: Operation) -> str:
    access = operation.access
    if access.public:
        return "Public."
    who = [f"role {role}" for role in sorted(access.roles)]
    who += ["the server itself"] if access.own_server else []
    who += ["the callback token of the current attempt"] if access.callback else []
    return f"For: {', '.join(who)}."


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.access.public:
        return []
    schemes = ["token", "callback"] if operation.access.callback else ["token"]
    return [{scheme: []} for scheme in schemes]


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)(?::path)?}", operation.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _success(operation: Operation, refs: _Refs) -> dict[str, Any]:
    empty = {"204": {"description": operation.empty}} if operation.empty else {}
    if operation.answer is None:
        return empty
    content: dict[str, Any] = {"schema": refs[operation.id, "answer"]}
    if operation.example is not None and operation.example.answer is not None:
        content["example"] = operation.example.answer
    answer: dict[str, Any] = {"description": "Done", "content": {operation.media: content}}
    if headers := _answer_headers(operation):
        answer["headers"] = headers
    return {**{str(status): answer for status in (operation.status, *operation.also)}, **empty}


def _answer_headers(operation: Operation) -> dict[str, Any]:
    rates = {} if operation.rate is Rate.NONE else _RATE_HEADERS
    found: dict[str, Any] = {name: {"description": text, "schema": {"type": "integer"}} for name, text in rates.items()}
    for header in operation.answer_headers:
        found[header.name] = {"description": header.description, "schema": dict(header.schema)}
    return found


def _failures(operation: Operation, refs: _Refs, word_of: WordOf) -> dict[str, Any]:
    kinds = [*operation.errors]
    kinds += [] if operation.access.public else [Unauthorized, Unavailable]
    kinds += [] if operation.rate is Rate.NONE else [RateLimited]
    by_status: dict[int, list[str]] = {500: [DispatchError.code]}
    for kind in kinds:
        by_status.setdefault(status_of(kind), []).append(word_of(kind))
    content = {"application/json": {"schema": refs["", "error"]}}
    return {
        str(status): {"description": ", ".join(dict.fromkeys(codes)), "content": content}
        for status, codes in sorted(by_status.items())
    }
