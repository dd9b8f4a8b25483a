"""The flows of files, as pure generators."""

import hashlib
import io
from pathlib import Path

import pytest

from dispatcher_sdk.errors import BadRequest, ConnectionFailed, InvalidAnswer, NotFound
from dispatcher_sdk.flows import task_files
from dispatcher_sdk.flows.steps import Response
from dispatcher_sdk.output_models import TaskFile
from tests.sdk.script import answer, options, pauses, play, requests

DATA = b"0123456789"
ETAG = f'"{hashlib.sha256(DATA).hexdigest()}"'
WHOLE = Response(200, {"etag": ETAG, "content-length": "10"})
REST = Response(206, {"etag": ETAG, "content-length": "6"})
BROKE = ConnectionFailed("broke", sent=True)
FILE = {"id": "file_1", "taskId": "task_1", "path": "a b/ä.txt", "size": 10}


def test_the_files_of_a_task() -> None:
    files, steps = play(task_files.list_all(options(), "task_1"), answer(200, {"taskId": "task_1", "files": [FILE]}))
    assert requests(steps)[0].url == "/api/task/task_1/files"
    assert [(one.path, one.size) for one in files] == [("a b/ä.txt", 10)]


def test_a_file_is_there_when_all_of_it_is(tmp_path: Path) -> None:
    to = tmp_path / "copy"
    to.write_bytes(b"old")
    file = TaskFile.model_validate(FILE)
    size, steps = play(task_files.download(options(), "task_1", file, to=to), WHOLE, DATA, b"")
    assert (size, to.read_bytes()) == (10, DATA)
    assert requests(steps)[0].url == "/api/task/task_1/files/a%20b/%C3%A4.txt"
    with pytest.raises(ConnectionFailed):
        play(task_files.download(options(max_retries=0), "task_1", "x", to=str(to)), WHOLE, b"new", BROKE)
    assert to.read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [to]


def test_it_is_taken_up_where_it_broke() -> None:
    to = io.BytesIO()
    size, steps = play(
        task_files.download(options(), "task_1", "x", to=to), WHOLE, DATA[:4], BROKE, answer(503), REST, DATA[4:8],
        BROKE, REST, DATA[8:], BROKE,
    )  # fmt: skip
    assert (size, to.getvalue()) == (10, DATA)
    first, *others = requests(steps)
    assert "Range" not in first.headers
    asked = [(one.headers["Range"], one.headers["If-Range"]) for one in others]
    assert asked == [("bytes=4-", ETAG), ("bytes=4-", ETAG), ("bytes=8-", ETAG)]
    assert pauses(steps) == [0.25, 0.5, 0.25, 0.25], "all was there when the last one broke"


def test_it_is_not_put_together_from_two_files() -> None:
    other = Response(200, {"etag": '"other"', "content-length": "10"})
    with pytest.raises(InvalidAnswer, match="replaced"):
        play(task_files.download(options(), "task_1", "x", to=io.BytesIO()), WHOLE, DATA[:4], BROKE, other)
    with pytest.raises(ConnectionFailed):  # nothing says that it would be the same
        play(task_files.download(options(), "task_1", "x", to=io.BytesIO()), Response(200), DATA[:4], BROKE)
    with pytest.raises(InvalidAnswer, match="not the one"):
        play(task_files.download(options(), "task_1", "x", to=io.BytesIO()), WHOLE, b"0123456780", b"")


def test_what_is_not_there_and_what_is_no_path() -> None:
    with pytest.raises(NotFound):
        play(task_files.download(options(), "task_1", "x", to=io.BytesIO()), answer(404))
    with pytest.raises(BadRequest):
        play(task_files.download(options(), "task_1", "a\\b", to=io.BytesIO()), answer(400))
    with pytest.raises(ValueError, match="no id"):
        play(task_files.download(options(), "task_1", "../x", to=io.BytesIO()))
