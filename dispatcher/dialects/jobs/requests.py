"""Request bodies of the job queue."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dispatcher.dialects.validation import RequestModel, WebUrl

TYPE = r"^\S{1,128}$"


def _sha256(text: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text) is None:
        raise ValueError("must be the 64 hexadecimal digits of a SHA-256")
    return text.lower()


def _word(text: str) -> str:
    if re.fullmatch(r"\S{1,128}", text) is None or not text.isprintable():
        raise ValueError("must be 1 to 128 characters without spaces")
    return text


def _argument(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    return text


def _variable(text: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,255}", text) is None:
        raise ValueError("must be the name of an environment variable")
    return text


Word = Annotated[str, AfterValidator(_word)]
Argument = Annotated[str, Field(max_length=131_072), AfterValidator(_argument)]
Attempt = Annotated[int, Field(ge=1, le=2**53, description="Which attempt this is about; may be left out")]
ExitCode = Annotated[int, Field(ge=-(2**31), le=2**32 - 1)]


class SubmitJob(RequestModel):
    type: Annotated[Word, Field(description="No spaces")]
    binary_url: WebUrl
    binary_sha256: Annotated[str, AfterValidator(_sha256)]
    arguments: Annotated[list[Argument], Field(max_length=1024)] = Field(default=[])
    env_variables: Annotated[dict[Annotated[str, AfterValidator(_variable)], Argument], Field(max_length=256)] = Field(
        default={}
    )
    priority: Literal["foreground", "background", "best_effort"]


class ClaimJob(RequestModel):
    executor_id: Word
    executor_ip: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_argument)] | None = Field(
        default=None, description="Where it runs; else the address the claim came from"
    )


class Heartbeat(RequestModel):
    executor_id: Word
    attempt: Attempt | None = None


class CompleteJob(RequestModel):
    executor_id: Word
    stdout: str = ""
    stderr: str = ""
    exit_code: ExitCode = 0
    attempt: Attempt | None = None


class FailJob(RequestModel):
    executor_id: Word
    stdout: str = ""
    stderr: str = ""
    exit_code: ExitCode | None = None
    error_message: str | None = None
    attempt: Attempt | None = None


class CancelJobs(RequestModel):
    job_ids: Annotated[list[str], Field(min_length=1, max_length=1000)]
