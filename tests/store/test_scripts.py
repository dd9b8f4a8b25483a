"""The scripts' headers hold: names, options, events, keys and replies are what the bodies use."""

import dataclasses
import re

import pytest

from dispatcher.domain.transitions import TRANSITIONS
from dispatcher.store import keys, scripts
from dispatcher.store.options import StoreOptions

OPTIONS = {field.name for field in dataclasses.fields(StoreOptions)}


def body_of(name: str) -> str:
    text = (scripts._LUA / f"{name}.lua").read_text("utf-8")
    return re.sub(r"--.*", "", scripts._resolve(text, set(), "now"))


@pytest.fixture(params=scripts.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def header_of(name: str) -> dict[str, list[str]]:
    return scripts._header((scripts._LUA / f"{name}.lua").read_text("utf-8"))


def test_every_option_is_declared_and_used(name: str) -> None:
    words = set(re.findall(r"\b[a-z_]+\b", body_of(name)))
    arguments = {a.removesuffix(":n").removesuffix("...") for a in header_of(name)["ARGV"]}
    assert set(header_of(name)["OPTIONS"]) == (words & OPTIONS) - arguments


def test_every_argument_is_used(name: str) -> None:
    body = body_of(name)
    for argument in header_of(name)["ARGV"]:
        plain = argument.removesuffix(":n")
        used = plain.removesuffix("...") + "_at" if plain.endswith("...") else plain
        assert re.search(rf"\b{used}\b", body), f"{name} never uses {argument}"


def test_events_are_declared_and_asked_for(name: str) -> None:
    own = (scripts._LUA / f"{name}.lua").read_text("utf-8")
    words = set(re.findall(r"'(\w+)'", re.sub(r"--.*|root \.\. '\w+'", "", own)))
    asked = words & set(TRANSITIONS) if "may(" in own else set()
    assert asked == set(header_of(name)["EVENTS"])


def test_every_reply_is_declared(name: str) -> None:
    own = re.sub(r"--.*", "", (scripts._LUA / f"{name}.lua").read_text("utf-8"))
    tags = set(re.findall(r"reply\('(\w+)'", own))
    declared = {text.split()[0] for text in header_of(name)["RETURNS"]}
    assert tags <= declared
    by_expression = {"limited", "allowed", "stale", "never_held", "no_attempt", "quota", "full", "too_many"}
    by_expression |= {"not_found", "ended", "too_large"}  # of `working`
    assert declared - tags <= by_expression


def test_every_key_is_in_the_table(name: str) -> None:
    shapes = {re.split(r"[<]", shape)[0] for shape in keys.KEYS}
    for prefix in re.findall(r"root \.\. '([^']+)'", body_of(name)):
        assert any(prefix == shape or prefix.startswith(shape) for shape in shapes), prefix


def test_every_key_of_the_table_is_used() -> None:
    everything = "".join(body_of(name) for name in scripts.names())
    for shape in keys.KEYS:
        assert f"root .. '{shape.split('<')[0]}" in everything, shape


def test_values_are_checked_against_the_header() -> None:
    script = scripts.load("take_seat", StoreOptions())
    values: dict[str, str | bytes | int | float] = {"holder": "h", "seat": "s", "most": 1, "lives_ms": 60_000}
    with pytest.raises(TypeError, match="takes"):
        script.argv({"holder": "h"})
    with pytest.raises(TypeError, match="no rest"):
        script.argv(values, ("more",))
    assert script.argv(values) == ["h", "s", "1", "60000"]


def test_transitions_reach_the_scripts_whole() -> None:
    text = scripts.allowed([str(event) for event in TRANSITIONS])
    for event, moves in TRANSITIONS.items():
        for state in moves:
            assert f" {event}:{state} " in text
    assert text.count(":") == sum(len(moves) for moves in TRANSITIONS.values())


def test_production_scripts_read_no_clock_key() -> None:
    for name in scripts.names():
        assert "'clock'" not in scripts.load(name, StoreOptions()).source
        assert "'TIME'" in scripts.load(name, StoreOptions()).source
        assert "'TIME'" not in scripts.load(name, StoreOptions(), test_clock=True).source
