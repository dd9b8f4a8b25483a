"""The how-to is executed, and the explanation's commands are ones that run."""

import importlib
import io
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer import Policy, known_policies, policy_named, registry
from balancer.simulator.__main__ import main
from tests.balancer.laws import LAWS

DOCS = Path(__file__).parents[2] / "docs"
HOW_TO = (DOCS / "how-to" / "write-a-balancer.md").read_text(encoding="utf-8")
EXPLANATION = (DOCS / "explanation" / "balancing.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def _not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry as it is for a reader of the how-to, also where somebody has added its policy to this repository."""
    without = tuple(policy for policy in registry.BUILT_IN if policy.name != "most-free")
    monkeypatch.setattr(registry, "BUILT_IN", without)


@pytest.fixture
def _installed(tmp_path: Path, _not_followed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The how-to's package, as pip would leave it on the path."""
    policy = blocks(HOW_TO, "python")[0]
    (entries,) = tomllib.loads(blocks(HOW_TO, "toml")[0])["project"]["entry-points"].values()
    (tmp_path / "most_free.py").write_text(policy)
    info = tmp_path / "most_free-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: most-free\nVersion: 1.0\n")
    lines = [f"{name} = {target}\n" for name, target in entries.items()]
    (info / "entry_points.txt").write_text("".join([f"[{registry.ENTRY_POINT_GROUP}]\n", *lines]))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    registry._plugins.cache_clear()
    yield
    registry._plugins.cache_clear()
    sys.modules.pop("most_free", None)


@pytest.mark.usefixtures("_not_followed")
def test_the_how_to_runs_as_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    namespace: dict[str, object] = {"__name__": "how_to"}
    for block in blocks(HOW_TO, "python"):
        exec(block, namespace)  # noqa: S102 - our own page
    policy = namespace["MostFree"]
    assert isinstance(policy, type)
    monkeypatch.setattr(registry, "BUILT_IN", (*registry.BUILT_IN, policy))
    assert known_policies()[-1] == "most-free"
    hold_the_laws(policy_named("most-free"))


@pytest.mark.usefixtures("_installed")
def test_the_how_to_entry_point_registers_the_policy() -> None:
    hold_the_laws(policy_named("most-free"))


def test_the_how_to_holds_inside_this_repository(tmp_path: Path) -> None:
    """Followed in a copy: the file with the imports of its neighbours, and the line in the registry."""
    package = tmp_path / "balancer"
    shutil.copytree(DOCS.parent / "balancer", package, ignore=shutil.ignore_patterns("__pycache__"))
    (indented,) = re.findall(r"^   ```python\n(.*?)^   ```$", HOW_TO, re.MULTILINE | re.DOTALL)
    written = blocks(HOW_TO, "python")[0]
    plain = "from balancer import Candidate, Needs, Pick\n"
    assert plain in written
    (package / "most_free.py").write_text(written.replace(plain, textwrap.dedent(indented)))
    entries = (package / "registry.py").read_text()
    added = re.sub(r"(BUILT_IN: .*?)^\)", r"\1    MostFree,\n)", entries, count=1, flags=re.MULTILINE | re.DOTALL)
    (package / "registry.py").write_text(
        added.replace("from balancer.peak_ewma", "from balancer.most_free import MostFree\nfrom balancer.peak_ewma")
    )
    ask = [sys.executable, "-c", "import balancer; print(balancer.policy_named('most-free').name)"]
    answer = subprocess.run(ask, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (answer.stdout, answer.stderr) == ("most-free\n", "")


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("page", [HOW_TO, EXPLANATION], ids=["how-to", "explanation"])
def test_the_simulator_commands_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs" / "explanation").mkdir(parents=True)
    commands = re.findall(r"python -m balancer\.simulator (--.*)$", page, re.MULTILINE)
    assert commands
    for command in commands:
        assert main([*shlex.split(command), "--jobs", "60"], io.StringIO()) == 0


def test_every_policy_is_explained() -> None:
    assert all(f"`{policy.name}`" in EXPLANATION for policy in registry.BUILT_IN)


def test_the_picture_is_the_one_that_the_page_shows() -> None:
    (name,) = re.findall(r"!\[.*?\]\((.*?\.svg)\)", EXPLANATION)
    picture = (DOCS / "explanation" / name).read_text(encoding="utf-8")
    assert all(text in picture for text in ("least-connections", "one shared queue", "p99 of wait + service"))


def hold_the_laws(policy: Policy) -> None:
    for law in LAWS:
        law(policy)
