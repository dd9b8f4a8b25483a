"""Headers of a file that is sent, and the part of it that was asked for."""

import re
from urllib.parse import quote

from starlette.datastructures import Headers

from dispatcher.domain.errors import OutOfRange

_RANGE = re.compile(r"(?i:bytes)=(\d*)-(\d*)", re.ASCII)
_FARTHEST = 10**18  # no file is so long: what is beyond is as far away
_TYPE = re.compile(r"[\w!#$&^.+-]{1,64}/[\w!#$&^.+-]{1,64}(; ?charset=[\w-]{1,32})?", re.ASCII)


def attachment(name: str) -> str:
    """Content-Disposition (RFC 6266): to be saved under `name`, never to be shown."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    extended = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{extended}'


def content_type(headers: Headers) -> str:
    """The type that an upload names, or the general one where that is missing or odd."""
    given = headers.get("content-type", "")
    return given if _TYPE.fullmatch(given) else "application/octet-stream"


def byte_range(headers: Headers, size: int, etag: str) -> tuple[int, int] | None:
    """Start and length of the one part that is asked for (RFC 9110 section 14). None: send all of it; also for several
    parts, for what is no range of bytes, and for another version (If-Range). Raises OutOfRange."""
    found = _RANGE.fullmatch(headers.get("range", ""))
    if found is None or found[1] == found[2] == "" or headers.get("if-range", etag) != etag:
        return None
    first, last = _position(found[1]), _position(found[2])
    if not found[1]:  # the last so many bytes
        start, end = max(0, size - last), size
        if last and not size:
            return None  # all of nothing, which no Content-Range can say
    else:
        start, end = first, min(last + 1, size) if found[2] else size
        if found[2] and last < first:
            return None
    if start >= end:
        raise OutOfRange(f"The file has {size} bytes", size)
    return start, end - start


def _position(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= 18 else _FARTHEST
