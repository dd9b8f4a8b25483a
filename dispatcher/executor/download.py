"""Fetch a job's binary and make sure that it is the one that was meant."""

import hashlib
import hmac
import os
import re
from pathlib import Path
from urllib.parse import SplitResult, urljoin, urlsplit

from dispatcher.executor.errors import JobError, Unreachable
from dispatcher.executor.http import Http, Reply

MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


async def download(http: Http, url: str, sha256: str, path: Path, *, most: int, allow_http: bool) -> None:
    """Write what is at `url` to a new file at `path`, which nobody may execute yet.

    Redirects are followed within one origin only. Raises JobError for a URL that is not allowed, an answer that is no
    binary, one larger than `most` bytes, and one whose SHA-256 (FIPS 180-4) is another.
    """
    if re.fullmatch(r"[0-9A-Fa-f]{64}", sha256) is None:
        raise JobError("binary_sha256 must be 64 hex digits")
    parts = _checked(url, allow_http)
    try:
        for _ in range(MOST_REDIRECTS + 1):
            async with http.open("GET", url, {}) as reply:
                if reply.status not in _REDIRECTS:
                    found = await _save(reply, path, most)
                    break
                url = urljoin(url, reply.headers.get("location", ""))
            if _origin(_checked(url, allow_http)) != _origin(parts):
                raise JobError("the download was redirected to another host")
        else:
            raise JobError("the download was redirected too often")
    except Unreachable as error:
        raise JobError(f"the binary could not be downloaded: {error}") from None
    if not hmac.compare_digest(found, sha256.lower()):
        raise JobError(f"the binary's SHA-256 is {found}, not binary_sha256")


async def _save(reply: Reply, path: Path, most: int) -> str:
    """The SHA-256 of what was written, in hex."""
    if reply.status != 200:
        raise JobError(f"the binary could not be downloaded: status {reply.status}")
    if reply.headers.get("content-encoding", "identity").lower() != "identity":
        raise JobError("the binary came encoded")
    told = reply.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and int(told) > most:
        raise JobError(f"the binary is larger than {most} bytes")
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
        async for chunk in reply.chunks:
            size += len(chunk)
            if size > most:
                raise JobError(f"the binary is larger than {most} bytes")
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _checked(url: str, allow_http: bool) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = parts.hostname is not None and parts.port != 0
    except ValueError:
        known = False
    if not known or not url.isascii() or not url.isprintable() or " " in url:
        raise JobError("binary_url is no URL")
    if parts.scheme != "https" and not (allow_http and parts.scheme == "http"):
        raise JobError("binary_url must begin with https://")
    if parts.username is not None or parts.password is not None:
        raise JobError("binary_url must not hold a user name")
    return parts


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
