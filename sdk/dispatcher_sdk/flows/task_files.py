"""Flows of the files that tasks leave: list, and download."""

import hashlib
import os
import re
import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dispatcher_sdk.errors import ConnectionFailed, InvalidAnswer, RequestTimeout, StatusError
from dispatcher_sdk.flows.send import bearer, call, delay, parse, passing, segment, status_error
from dispatcher_sdk.flows.steps import Flow, Open, Options, Pause, Read, Request, Response, Save, Step, Writable
from dispatcher_sdk.flows.tasks import path_of
from dispatcher_sdk.models import Task
from dispatcher_sdk.output_models import FileList, TaskFile


def list_all(options: Options, task: str | Task) -> Flow[list[TaskFile]]:
    """The files of a task, by path."""
    return parse(FileList, (yield from call(options, "GET", f"{path_of(task)}/files"))).files


def download(
    options: Options, task: str | Task, file: str | TaskFile, *, to: str | os.PathLike[str] | Writable
) -> Flow[int]:
    """Copy a file of a task, named by its path, to a file here (a path, which then has all of it or is left as it was;
    or anything with `write`); answers how many bytes it has.

    What breaks off is taken up where it broke, after `max_retries` failures in a row without a byte in between the last
    one is raised. Raises InvalidAnswer when the file was replaced meanwhile, or is not what the gateway took in.
    """
    name = file if isinstance(file, str) else file.path
    url = f"{path_of(task)}/files/{'/'.join(segment(part) for part in name.split('/'))}"
    with _destination(to) as target:
        copy, failures = _Copy(url), 0
        while True:
            before = copy.done
            try:
                yield from copy.go_on(options, target)
                return copy.done
            except (ConnectionFailed, RequestTimeout, StatusError) as error:
                failures = 0 if copy.done > before else failures
                if failures >= options.max_retries or not passing(error) or (copy.done and not copy.etag):
                    raise
                retry_after = getattr(error, "retry_after", None)
            yield Pause(delay(options, failures, retry_after))
            failures += 1


class _Copy:
    """How far a download has come."""

    def __init__(self, url: str) -> None:
        self.done = 0
        self.etag = ""
        self._url = url
        self._size: int | None = None
        self._digest = hashlib.sha256()

    def go_on(self, options: Options, target: Writable) -> Generator[Step, Any, None]:
        """Raises what the gateway refuses with, InvalidAnswer, and what the steps raise."""
        if self._size is None or self.done < self._size:
            response: Response = yield Open(self._request(options))
            self._check(response)
            while data := (yield Read()):
                yield Save(target, data)
                self._digest.update(data)
                self.done += len(data)
        if re.fullmatch(r'"[0-9a-f]{64}"', self.etag) and self.etag[1:-1] != self._digest.hexdigest():
            raise InvalidAnswer("the file is not the one that the gateway took in")

    def _request(self, options: Options) -> Request:
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", **bearer(options)}
        if self.done:
            headers |= {"Range": f"bytes={self.done}-", "If-Range": self.etag}
        return Request("GET", self._url, {}, headers, None, options.timeout, True)

    def _check(self, response: Response) -> None:
        if response.status >= 300:
            raise status_error(response)
        if self.done:
            if response.status != 206:
                raise InvalidAnswer("the file was replaced while it was downloaded")
            return
        self.etag = response.headers.get("etag", "")
        length = response.headers.get("content-length", "")
        self._size = int(length) if length.isdecimal() else None


@contextmanager
def _destination(to: str | os.PathLike[str] | Writable) -> Iterator[Writable]:
    """A path becomes a file beside it, that takes its place when all is there."""
    if not isinstance(to, str | os.PathLike):
        yield to
        return
    path = Path(to)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
