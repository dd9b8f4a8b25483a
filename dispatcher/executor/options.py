"""What an operator may set about the executor, and what it never exceeds."""

from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.sandbox.program import Limits

OUTPUT_KEPT = 1_048_576  # bytes of UTF-8 of each stream, the first ones


@dataclass(frozen=True, slots=True)
class Options:
    """`url` is the base URL of the job queue, up to and with its version.

    token           shown to the queue, to nobody else; None where the queue asks for none
    concurrency     jobs at once
    max_download    bytes of a binary
    allow_http      binaries may come over plain http
    timeout_s       for one job, download included
    grace_s         what running jobs get to end after the executor was told to stop
    heartbeat_s     between two signs of life of a job; a third of its lease where that is shorter
    wait_s          how long the queue may hold a claim back when there is no job
    terminate_s     between the request to stop (SIGTERM) and the end (SIGKILL) of a process
    user            whom jobs run as (user id, group id); None: as the executor itself
    home            where the directories of jobs are made; None: where temporary files are
    """

    url: str
    executor_id: str
    token: str | None = field(default=None, repr=False)
    concurrency: int = 1
    max_download: int = 1 << 30
    allow_http: bool = False
    timeout_s: float = 3600.0
    grace_s: float = 30.0
    heartbeat_s: float = 15.0
    wait_s: int = 10
    terminate_s: float = 5.0
    user: tuple[int, int] | None = None
    home: Path | None = None
    limits: Limits = field(default_factory=Limits)
