"""The binary that a job runs is the one that its owner meant, or nothing is run."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.executor.download import download
from dispatcher.executor.errors import JobError
from dispatcher.executor.http import Http
from tests.executor.servers import Files

CONTENT = b"#!/bin/sh\necho hello\n"


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http(2) as opened:
        yield opened


async def fetch(http: Http, binary: tuple[str, str], path: Path, *, most: int = 1000, allow_http: bool = True) -> None:
    await download(http, *binary, path / "binary", most=most, allow_http=allow_http)


async def test_it_is_written_and_nobody_may_run_it_yet(http: Http, files: Files, tmp_path: Path) -> None:
    url, digest = files.add("b", CONTENT)
    await fetch(http, (url, digest.upper()), tmp_path)
    assert (tmp_path / "binary").read_bytes() == CONTENT
    assert stat.S_IMODE((tmp_path / "binary").stat().st_mode) == 0o400
    (_, _, headers) = files.seen[0]
    assert "authorization" not in headers
    assert headers["accept-encoding"] == "identity"


async def test_another_hash_is_refused(http: Http, files: Files, tmp_path: Path) -> None:
    url, digest = files.add("b", CONTENT)
    with pytest.raises(JobError, match=f"SHA-256 is {digest}, not"):
        await fetch(http, (url, "0" * 64), tmp_path)


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n"])
async def test_what_is_no_hash_is_not_even_fetched(http: Http, files: Files, tmp_path: Path, digest: str) -> None:
    url, _ = files.add("b", CONTENT)
    with pytest.raises(JobError, match="64 hex digits"):
        await fetch(http, (url, digest), tmp_path)
    assert files.seen == []


@pytest.mark.parametrize("told", [True, False])
async def test_one_too_large_is_refused(http: Http, files: Files, tmp_path: Path, told: bool) -> None:
    url, digest = files.add("b", b"x" * 1001)
    if not told:  # without a length the end of the connection is the end of the content
        files.special["/b"] = (200, {"Content-Length": "", "Connection": "close"}, b"x" * 1001)
    with pytest.raises(JobError, match="larger than 1000 bytes"):
        await fetch(http, (url, digest), tmp_path)
    fitting = files.add("c", b"x" * 1000)
    (tmp_path / "binary").unlink(missing_ok=True)
    await fetch(http, fitting, tmp_path)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1/b", "https://"),
        ("ftp://example.com/b", "https://"),
        ("file:///etc/passwd", "no URL"),
        ("https:///b", "no URL"),
        ("https://example.com:99999/b", "no URL"),
        ("https://ex ample.com/b", "no URL"),
        ("https://example.com/b\r\nX: y", "no URL"),
        ("https://user:secret@example.com/b", "user name"),
    ],
)
async def test_urls_that_are_not_allowed(http: Http, tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(JobError, match=said) as raised:
        await fetch(http, (url, "0" * 64), tmp_path, allow_http=False)
    assert "secret" not in str(raised.value)


async def test_redirects_stay_within_the_origin(http: Http, files: Files, tmp_path: Path) -> None:
    url, digest = files.add("b", CONTENT)
    files.special["/here"] = (302, {"Location": "/b"}, b"")
    await fetch(http, (f"{files.url}/here", digest), tmp_path)
    (tmp_path / "binary").unlink()
    for elsewhere in (url.replace("127.0.0.1", "localhost"), url.replace("http:", "https:"), "//example.com/b"):
        files.special["/away"] = (302, {"Location": elsewhere}, b"")
        with pytest.raises(JobError, match="another host"):
            await fetch(http, (f"{files.url}/away", digest), tmp_path)
    files.special["/round"] = (302, {"Location": "/round"}, b"")
    with pytest.raises(JobError, match="too often"):
        await fetch(http, (f"{files.url}/round", digest), tmp_path)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {}, b""), "status 404"),
        ((206, {}, CONTENT), "status 206"),
        ((200, {"Content-Encoding": "gzip"}, CONTENT), "encoded"),
        ((200, {"Content-Length": "999", "Connection": "close"}, CONTENT), "could not be downloaded"),
    ],
)
async def test_answers_that_are_no_binary(
    http: Http, files: Files, tmp_path: Path, answer: tuple[int, dict[str, str], bytes], said: str
) -> None:
    url, digest = files.add("b", CONTENT)
    files.special["/b"] = answer
    with pytest.raises(JobError, match=said):
        await fetch(http, (url, digest), tmp_path)


async def test_a_host_out_of_reach(http: Http, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="could not be downloaded: ConnectError"):
        await fetch(http, ("http://127.0.0.1:1/b", "0" * 64), tmp_path)
