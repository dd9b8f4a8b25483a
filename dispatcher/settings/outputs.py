"""Sections on what tasks say and leave behind."""

from typing import Annotated

from pydantic import AfterValidator

from dispatcher.settings.sections import Section, web_address
from dispatcher.settings.values import Size, setting, sized


class Logs(Section):
    """What tasks say. Of each task the newest lines are kept, in Redis, as long as the task."""

    lines: int = setting(100_000, "lines of a task", ge=1)
    bytes: Annotated[Size, sized("64KiB", "1GiB")] = setting("10MiB", "their bytes")
    tenant: Annotated[Size, sized("64KiB", "1024GiB")] = setting(
        "2GiB", "bytes of all tasks of a tenant; beyond, a task that says more keeps its newest 64 KiB"
    )
    behind: int = setting(
        1_000, "newest lines of a task that a gateway holds for its followers; who is further behind reads Redis", ge=1
    )


class Files(Section):
    """What tasks leave behind. Kept as long as the task."""

    directory: str = setting(
        ".dispatcher/files",
        "where they are: a directory (that gateways on several machines share), or s3://bucket/prefix (extra `s3`)",
    )
    endpoint: Annotated[str, AfterValidator(web_address)] = setting(
        "", "URL of an S3 service other than Amazon's; credentials and region: the AWS_* variables"
    )
    largest: Annotated[Size, sized("1KiB", "1024GiB")] = setting("1GiB", "one file, more is 413")
    number: int = setting(1_000, "files of one task", ge=1)
    task: Annotated[Size, sized("1KiB", "1024GiB")] = setting("4GiB", "all files of one task")
    tenant: Annotated[Size, sized("1KiB", "1048576GiB")] = setting("100GiB", "all files of one tenant")
