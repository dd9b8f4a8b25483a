"""Looking policies up, and a ninth one that comes as a registry entry or as an installed package."""

import importlib
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import pytest

import balancer
from balancer import BrokenPlugin, Candidate, Needs, Pick, UnknownPolicy, known_policies, policy_named, registry
from balancer.least_connections import LeastConnections
from tests.balancer.laws import LAWS

BUILT_IN = (
    "round-robin",
    "weighted-round-robin",
    "least-connections",
    "random",
    "weighted-random",
    "power-of-two",
    "peak-ewma",
    "rendezvous-hash",
)
PLUGIN = """
from balancer import Candidate, Needs, Pick

class Newest:
    name = "newest"
    needs = Needs.NOTHING

    def choose(self, candidates, pick):
        return max(pick.available(candidates), key=lambda candidate: candidate.seq)
"""


class Oldest:
    """The ninth policy of these tests."""

    name: ClassVar[str] = "oldest"
    needs: ClassVar[Needs] = Needs.NOTHING

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        return min(pick.available(candidates), key=lambda candidate: candidate.seq)


class NeedsNothingAtAll:
    name = "lazy"

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        return candidates[0]


def not_a_class() -> None: ...


@pytest.fixture(autouse=True)
def _search_for_plugins_again() -> Iterator[None]:
    registry._plugins.cache_clear()
    yield
    registry._plugins.cache_clear()


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make these `name=module:Class` pairs the entry points of the environment."""

    def install(**targets: str | list[str]) -> None:
        found = [
            EntryPoint(name=name.replace("_", "-"), value=value, group=registry.ENTRY_POINT_GROUP)
            for name, values in targets.items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        monkeypatch.setattr(registry, "entry_points", lambda group: [p for p in found if p.group == group])

    return install


def test_the_known_policies() -> None:
    assert known_policies()[: len(BUILT_IN)] == BUILT_IN
    assert [policy_named(name).name for name in BUILT_IN] == list(BUILT_IN)


def test_one_instance_per_process() -> None:
    assert policy_named("random") is policy_named("random")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownPolicy, match=r"'fastest'; known: round-robin, .*rendezvous-hash") as caught:
        policy_named("fastest")
    assert caught.value.name == "fastest"


def test_a_ninth_policy_by_registry_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    before = known_policies()
    monkeypatch.setattr(registry, "BUILT_IN", (*registry.BUILT_IN, Oldest))
    assert set(known_policies()) == {*before, "oldest"}
    for law in LAWS:
        law(policy_named("oldest"))


def test_a_ninth_policy_by_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "newest_policy.py").write_text(PLUGIN)
    info = tmp_path / "newest_policy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: newest-policy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[edge_dispatcher.policies]\nnewest = newest_policy:Newest\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert "newest" in known_policies()
    assert "newest_policy" not in sys.modules  # naming the plugins loads none
    servers = [Candidate(id="a", seq=1), Candidate(id="b", seq=2)]
    assert policy_named("newest").choose(servers, Pick(rng=random.Random(1))).id == "b"
    for law in LAWS:
        law(policy_named("newest"))
    del sys.modules["newest_policy"]


def test_entry_points_are_read_once(install: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    install(oldest=f"{__name__}:Oldest")
    known_policies()
    monkeypatch.setattr(registry, "entry_points", lambda group: pytest.fail("read again"))
    assert "oldest" in known_policies()


@pytest.mark.parametrize(
    ("name", "target", "reason"),
    [
        ("gone", "no_such_module:Policy", "ModuleNotFoundError"),
        ("gone", "balancer:NoSuchClass", "AttributeError"),
        ("odd", f"{__name__}:not_a_class", "not a class"),
        ("odd", "balancer.candidate:Candidate", "not a class with a method `choose`"),
        ("other", f"{__name__}:Oldest", "its `name` must be 'other'"),
        ("lazy", f"{__name__}:NeedsNothingAtAll", "its `needs` must be"),
    ],
)
def test_a_broken_plugin_is_named_and_harms_no_other(
    install: Callable[..., None], name: str, target: str, reason: str
) -> None:
    install(**{name: target})
    with pytest.raises(BrokenPlugin, match=rf"plugin '{name}' \({target}\): .*{reason}"):
        policy_named(name)
    assert isinstance(policy_named("least-connections"), LeastConnections)
    assert name in known_policies()


def test_a_plugin_never_replaces_a_built_in_policy(install: Callable[..., None]) -> None:
    install(random=f"{__name__}:Oldest")
    with pytest.raises(BrokenPlugin, match=r"plugin 'random' .* taken"):
        policy_named("random")


def test_two_plugins_of_one_name_are_refused(install: Callable[..., None]) -> None:
    install(oldest=[f"{__name__}:Oldest", "elsewhere:Oldest"])
    with pytest.raises(BrokenPlugin, match=r"elsewhere:Oldest.* taken"):
        policy_named("oldest")


def test_a_package_found_twice_is_one_plugin(install: Callable[..., None]) -> None:
    install(oldest=[f"{__name__}:Oldest", f"{__name__}:Oldest"])
    assert policy_named("oldest").name == "oldest"


def test_everything_public_is_exported() -> None:
    assert all(hasattr(balancer, name) for name in balancer.__all__)
