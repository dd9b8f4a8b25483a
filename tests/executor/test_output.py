"""Output is cut where a character ends, by the queue, which tells of it: the executor keeps just more than it does."""

import pytest

from dispatcher.dialects.jobs.wire_results import cut
from dispatcher.executor.options import OUTPUT_KEPT
from dispatcher.executor.output import shortened


def test_what_fits_is_kept() -> None:
    assert shortened(b"") == ""
    assert shortened("\0é€😀".encode()) == "\0é€😀"
    assert cut(shortened(b"x" * OUTPUT_KEPT)) == ("x" * OUTPUT_KEPT, False)


@pytest.mark.parametrize("character", ["x", "é", "€", "😀"])
@pytest.mark.parametrize("offset", range(4))
def test_the_cut_is_between_two_characters(character: str, offset: int) -> None:
    size = len(character.encode())
    text = "." * offset + character * (OUTPUT_KEPT // size + 4)
    kept, truncated = cut(shortened(text.encode()[: OUTPUT_KEPT + 4]))
    assert truncated
    assert text.startswith(kept)
    assert OUTPUT_KEPT - size < len(kept.encode()) <= OUTPUT_KEPT


def test_what_is_no_text_becomes_text_of_the_same_bound() -> None:
    assert shortened(b"a\xffb") == "a\ufffdb"
    assert len(shortened(b"\xff" * OUTPUT_KEPT).encode()) <= OUTPUT_KEPT + 4
