"""The Lua scripts: one verb a file, composed from includes, called by name.

A file's header names what it takes:

    -- KEYS     root
    -- ARGV     task_id fence:n held...        `:n` arrives as a number, `...` is the rest (from index `held_at`)
    -- OPTIONS  lease_ms                       filled from `StoreOptions`, numbers
    -- EVENTS   claim cancel                   filled from the transition table, as `allowed`
    -- RETURNS  granted grant... | gone state

The loader turns it into local variables in front of the body, so neither side counts positions by hand. Options become
expressions instead, and what an include does not share it keeps in a `do` block: Lua allows 200 local variables.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from dispatcher.domain.transitions import TaskEvent, from_states
from dispatcher.store.options import StoreOptions

_INCLUDE = re.compile(r"^--- @include (\w+)$", re.MULTILINE)
_HEADER = re.compile(r"^-- (KEYS|ARGV|OPTIONS|EVENTS|RETURNS)\s+(.*)$", re.MULTILINE)
_LUA = resources.files("dispatcher.store") / "lua"


@dataclass(frozen=True, slots=True)
class Script:
    """A script ready to send. `arguments` are the names of ARGV before options and events; a last name with `...`
    takes the rest."""

    name: str
    source: str
    arguments: tuple[str, ...]
    rest: str | None
    constants: tuple[str, ...]  # the options' and events' values, placed before the rest
    returns: tuple[str, ...]

    def argv(
        self, values: dict[str, str | bytes | int | float], rest: tuple[str | bytes, ...] = ()
    ) -> list[str | bytes]:
        """ARGV from named values. Raises TypeError when the names are not exactly the header's."""
        if values.keys() != set(self.arguments):
            raise TypeError(f"{self.name} takes {self.arguments}, got {tuple(values)}")
        if rest and self.rest is None:
            raise TypeError(f"{self.name} takes no rest")
        given = (values[name] for name in self.arguments)
        return [v if isinstance(v, str | bytes) else repr(v) for v in given] + [*self.constants, *rest]


def _header(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"KEYS": [], "ARGV": [], "OPTIONS": [], "EVENTS": [], "RETURNS": []}
    for kind, value in _HEADER.findall(text):
        found[kind] += [part.strip() for part in value.split("|")] if kind == "RETURNS" else value.split()
    return found


def _resolve(text: str, seen: set[str], clock: str) -> str:
    def include(match: re.Match[str]) -> str:
        name = match[1]
        if name in seen:
            return ""
        seen.add(name)
        file = clock if name == "now" else name
        return _resolve((_LUA / "include" / f"{file}.lua").read_text("utf-8"), seen, clock)

    return _INCLUDE.sub(include, text)


def _prelude(header: dict[str, list[str]]) -> tuple[list[str], tuple[str, ...], str | None]:
    lines = ["local root = KEYS[1]"]
    names = [n for n in header["ARGV"] if not n.endswith("...")]
    rest = next((n.removesuffix("...") for n in header["ARGV"] if n.endswith("...")), None)
    at = 0
    for at, name in enumerate(names, 1):
        plain = name.removesuffix(":n")
        lines.append(f"local {plain} = tonumber(ARGV[{at}])" if name.endswith(":n") else f"local {plain} = ARGV[{at}]")
    at += len(header["OPTIONS"])
    if header["EVENTS"]:
        at += 1
        lines.append(f"local allowed = ARGV[{at}]")
    if rest:
        lines.append(f"local {rest}_at = {at + 1}")
    return lines, tuple(n.removesuffix(":n") for n in names), rest


def _with_options(body: str, header: dict[str, list[str]]) -> str:
    first = sum(not name.endswith("...") for name in header["ARGV"]) + 1
    places = {option: f"tonumber(ARGV[{at}])" for at, option in enumerate(header["OPTIONS"], first)}
    return re.sub(r"(?<!['.])\b[a-z_]+\b", lambda word: places.get(word[0], word[0]), body)


def allowed(events: list[str]) -> str:
    """The transitions of some events in the form that scripts search: ` event:STATE event:STATE `."""
    return " " + "".join(f"{e}:{state} " for e in events for state in from_states(TaskEvent(e)))


@cache
def names() -> tuple[str, ...]:
    """All scripts."""
    return tuple(sorted(f.name.removesuffix(".lua") for f in _LUA.iterdir() if f.name.endswith(".lua")))


@lru_cache(maxsize=512)  # every store of a process has the same few
def load(name: str, options: StoreOptions, *, test_clock: bool = False) -> Script:
    """Read one script with its includes. `test_clock` builds it on a clock that a test moves."""
    text = (_LUA / f"{name}.lua").read_text("utf-8")
    header = _header(text)
    lines, arguments, rest = _prelude(header)
    body = _resolve(text, set(), "now_test" if test_clock else "now")
    constants = tuple(str(getattr(options, option)) for option in header["OPTIONS"])
    if header["EVENTS"]:
        constants += (allowed(header["EVENTS"]),)
    body = _with_options(body, header)
    return Script(name, "\n".join(lines) + "\n" + body, arguments, rest, constants, tuple(header["RETURNS"]))
