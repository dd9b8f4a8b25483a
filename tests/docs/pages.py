"""The pages of the documentation, and what is written in them."""

import re
from pathlib import Path

from tests.support.program import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "sdk").glob("*.md")])


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text(page: str | Path) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str | Path, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL)


def prose(page: str | Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL)


def anchors(page: str | Path) -> set[str]:
    """What a link into the page may name after `#`, as the usual renderers make it of the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
