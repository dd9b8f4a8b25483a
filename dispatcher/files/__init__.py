"""Where the bytes of files are: implements `service.ports.BlobStore`."""

from dispatcher.files.choice import blobs_at
from dispatcher.files.local import LocalBlobs

__all__ = ["LocalBlobs", "blobs_at"]
