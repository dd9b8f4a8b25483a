"""Where blobs may be."""

import sys

import pytest

from dispatcher.files import LocalBlobs, blobs_at


def test_a_directory_is_not_made_before_it_is_needed() -> None:
    assert isinstance(blobs_at("/nowhere/at/all"), LocalBlobs)


def test_other_places_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="s3:// URL"):
        blobs_at("ftp://x/y")
    monkeypatch.setitem(sys.modules, "dispatcher.files.objects", None)
    with pytest.raises(ValueError, match="needs the extra `s3`"):
        blobs_at("s3://bucket")
