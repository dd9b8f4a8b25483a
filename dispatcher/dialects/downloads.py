"""Sending a file of a task, whole or a part of it."""

from dispatcher.dialects.call import Call, Stream
from dispatcher.domain.file import FileRecord
from dispatcher.service.files import Files
from dispatcher.web.download import attachment, byte_range


async def download(call: Call, files: Files, record: FileRecord) -> Stream:
    """Raises OutOfRange, NotFound, Unavailable."""
    etag = f'"{record.sha256}"'
    headers = {
        "Content-Type": record.content_type,
        "Content-Disposition": attachment(record.name),
        "Accept-Ranges": "bytes",
        "ETag": etag,
    }
    whole = call.scope["method"] != "GET"  # a HEAD has no parts (RFC 9110 section 14.2)
    part = None if whole else byte_range(call.headers, record.size, etag)
    start, length = part or (0, record.size)
    headers["Content-Length"] = str(length)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{record.size}"
    chunks = await files.read(record, start=start, length=length)
    return Stream(chunks, headers, 200 if part is None else 206)
