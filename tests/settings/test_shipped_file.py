"""File, model and reference page say the same."""

import re
import tomllib
from pathlib import Path

from dispatcher.settings import CONFIG_FILE, Settings, load
from dispatcher.settings.environment import SECRETS
from dispatcher.settings.render import REFERENCE, render_file, render_page

ROOT = Path(__file__).parents[2]


def _uncommented(text: str) -> str:
    """The file as it is after somebody took the `# ` from its optional blocks."""
    return re.sub(r"(?m)^# (?=\[\[|\w+ = )", "", text)


def test_the_shipped_file_is_the_one_the_model_writes() -> None:
    assert (ROOT / CONFIG_FILE).read_text() == render_file()


def test_the_reference_page_is_the_one_the_model_writes() -> None:
    assert (ROOT / REFERENCE).read_text() == render_page()


def test_the_file_holds_exactly_the_keys_and_defaults_of_the_model() -> None:
    document = tomllib.loads((ROOT / CONFIG_FILE).read_text())
    document.pop("env")
    assert Settings.model_validate(document) == Settings()
    expected = Settings().model_dump()
    assert set(document) == set(expected) - {"listeners"}
    for name, values in document.items():
        wanted = expected[name][0] if isinstance(values, list) else expected[name]
        assert set(values[0] if isinstance(values, list) else values) == set(wanted), name


def test_every_key_has_a_comment_in_the_file_and_a_row_on_the_page() -> None:
    page = (ROOT / REFERENCE).read_text()
    for line in _uncommented((ROOT / CONFIG_FILE).read_text()).partition("# Overlays")[0].splitlines():
        key = re.match(r"(\w+) = (.+?)\s+# (.+)", line)
        shown = key is not None and re.search(r"# (the API served there|port to listen on)$", line)
        if key and (not shown or key[2] in ('"native"', "8787", "8788")):
            assert f"| `{key[1]}` | `{key[2]}` | {key[3]} |" in page
        elif key:
            assert f"| `{key[1]}` | " in page
        else:
            assert not re.match(r"\w+ = ", line) or line.startswith("DOMAIN"), f"no comment: {line}"


def test_the_blocks_that_are_commented_out_are_valid(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text(_uncommented((ROOT / CONFIG_FILE).read_text()))
    settings = load({}, directory=tmp_path).settings
    assert [one.port for one in settings.listeners] == [8788, 8080, 8765, 8081, 8000]
    assert [one.dialect for one in settings.listeners] == ["native", "jobs", "farm", "cloudai", "cluster"]
    assert settings.vars == {"DOMAIN": "gateway.example.com"}


def test_the_production_overlay_loads() -> None:
    loaded = load({}, config=ROOT / CONFIG_FILE, env="production")
    assert loaded.settings.server.host != "127.0.0.1"
    assert loaded.settings.server.port == 8787
    assert not loaded.settings.urls.loopback


def test_every_secret_is_on_the_page() -> None:
    page = (ROOT / REFERENCE).read_text()
    assert all(f"`DISPATCHER_{name}`" in page for name in SECRETS)
