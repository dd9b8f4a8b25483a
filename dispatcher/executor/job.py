"""A job as it was claimed, and how it ended."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatcher.executor.errors import JobError


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run. Arguments and variables may hold secrets."""

    id: str
    binary_url: str = field(repr=False)
    binary_sha256: str
    arguments: tuple[str, ...] = field(default=(), repr=False)
    env_variables: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """How a job ended. Without `error` it is completed."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int | None = None
    error: str | None = None


def job_id(fields: Any) -> str:
    """The id of a claimed job. Raises ValueError for an answer that is no job."""
    found = fields.get("id") if isinstance(fields, dict) else None
    if not isinstance(found, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", found) or not found.strip("."):
        raise ValueError("the queue answered a claim with something that is no job")
    return found


def decode(fields: Mapping[str, Any]) -> Job:
    """The job. Raises JobError for one that nobody can run."""
    url, digest = fields.get("binary_url"), fields.get("binary_sha256")
    arguments, variables = fields.get("arguments") or [], fields.get("env_variables") or {}
    if not isinstance(url, str) or not isinstance(digest, str):
        raise JobError("binary_url and binary_sha256 must be strings")
    if not isinstance(arguments, list) or not all(isinstance(argument, str) for argument in arguments):
        raise JobError("arguments must be a list of strings")
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise JobError("env_variables must be strings by name")
    return Job(job_id(fields), url, digest, tuple(arguments), variables)
