"""The store of blobs by its place."""

from pathlib import Path

from dispatcher.files.local import LocalBlobs
from dispatcher.service.ports import BlobStore


def blobs_at(place: str, *, endpoint: str = "") -> BlobStore:
    """At a directory, or at `s3://bucket/prefix`, with the URL of the service where that is not Amazon's.

    Nothing is made or sent yet. Raises ValueError for another URL, or when the extra `s3` is not installed.
    """
    if "://" not in place:
        return LocalBlobs(Path(place))
    if not place.startswith("s3://"):
        raise ValueError("must be a directory or an s3:// URL")
    try:
        from dispatcher.files.objects import s3_blobs
    except ImportError:
        raise ValueError("s3:// needs the extra `s3`: pip install '.[s3]' in a clone") from None
    return s3_blobs(place, endpoint)
