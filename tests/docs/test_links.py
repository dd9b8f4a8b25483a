"""Links lead somewhere, and every page can be found."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, name, prose

LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_reached_from_the_readme() -> None:
    found, open_ = set[Path](), [ROOT / "README.md"]
    while open_:
        page = open_.pop()
        if page in found:
            continue
        found.add(page)
        for link in LINK.findall(prose(page)):
            target = (page.parent / link.partition("#")[0]).resolve()
            open_ += sorted(target.glob("*.md")) if target.is_dir() else [target] if target.suffix == ".md" else []
    assert {name(page) for page in PAGES} == {name(page) for page in found}


def test_every_file_that_is_named_is_there() -> None:
    """In backticks, from the root, from `dispatcher/`, or beside the file named before it in a row."""
    for page in PAGES:
        folder = ROOT
        for path in re.findall(r"`([\w./-]+\.(?:py|lua|toml))`", prose(page)):
            homes = [home for home in (ROOT, ROOT / "dispatcher", folder) if (home / path).exists()]
            example = page.name == "write-a-balancer.md" or path == "first_task.py"  # files that the reader writes
            assert homes or example or list(ROOT.glob(f"*/**/{path}")), f"{name(page)}: {path}"
            folder = (homes[0] / path).parent if homes else folder
