"""The command of a task."""

import shlex
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from dispatcher.agent.errors import NotHere, TaskError


def command_of(payload: Mapping[str, Any]) -> list[str]:
    """`command` as arguments: a list of strings as it is, a string split as a shell would, without being one. Empty
    when there is none. Raises TaskError."""
    given = payload.get("command") or []
    if isinstance(given, str):
        try:
            given = shlex.split(given)
        except ValueError as error:
            raise TaskError(f"command cannot be split: {error}") from None
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise TaskError("command must be a string or a list of strings")
    if any("\0" in one for one in given):
        raise TaskError("command must not contain NUL characters")
    return given


def environment_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """`env`, strings by name. Raises TaskError."""
    given = payload.get("env") or {}
    if not isinstance(given, dict) or not all(
        isinstance(value, str) and name and "=" not in name and "\0" not in name + value
        for name, value in given.items()
    ):
        raise TaskError("env must be strings by name")
    return given


def image_of(payload: Mapping[str, Any], allowed: tuple[str, ...]) -> str:
    """`docker_image`, when a pattern allows it. Raises TaskError, NotHere."""
    image = payload.get("docker_image")
    if not isinstance(image, str) or not image:
        raise TaskError("docker_image must be a string")
    if not any(fnmatchcase(image, pattern) for pattern in allowed):
        raise NotHere(f"image {image[:200]} is not allowed on this worker")
    return image
