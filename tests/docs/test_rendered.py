"""Pages that show what code defines are what that code renders."""

from pathlib import Path

from dispatcher.domain.transitions import TaskState, to_mermaid
from dispatcher.store.keys import to_markdown

DOCS = Path(__file__).parents[2] / "docs"


def test_the_state_diagram_is_the_transition_table() -> None:
    page = (DOCS / "explanation" / "tasks.md").read_text("utf-8")
    assert f"```mermaid\n{to_mermaid()}```" in page
    for state in TaskState:
        assert state in page.split("```")[2]


def test_the_key_table_is_the_code_s() -> None:
    assert (DOCS / "reference" / "redis-keys.md").read_text("utf-8").endswith(to_markdown())
