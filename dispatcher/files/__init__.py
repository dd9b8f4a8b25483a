"""Where the bytes of files are: implements `service.ports.BlobStore`."""

from dispatcher.files.choice import blobs_at
from dispatcher.files.local import LocalBlobs
from dispatcher.files.places import Places

__all__ = ["LocalBlobs", "Places", "blobs_at"]
