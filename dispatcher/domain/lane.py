"""What a task asks of a server, what a server offers, and whether they fit.

A lane is a distinct set of demands, a class a distinct set of offers. Both are few, so they are matched once, when
either is new, and the store keeps one queue per lane instead of looking at tasks one by one. Amounts of resources are
rounded for that, the same way on both sides; a claim checks the exact ones.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dispatcher.domain.resources import NOTHING, Resources


def _digest(parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Demand:
    """What a task asks of a server. `kind` says what runs it (`predict`, `process`, `training`...); `resources` is the
    rounded shape of what it needs, see `shaped`. `open` is the dialect through whose open door the task came; empty for
    one that an authenticated caller handed in."""

    kind: str = "predict"
    capabilities: frozenset[str] = frozenset()
    group: str | None = None
    resources: Resources = NOTHING
    gang: int = 1  # ranks that start together: gangs of one size share a queue, so that they are passed over at once
    open: str = ""

    def shaped(self, needs: Resources) -> "Demand":
        """The same demand of a task that needs so much (each rank of a gang)."""
        return replace(self, resources=needs.shape)

    @property
    def lane(self) -> str:
        """The id of its lane: equal demands share one, over all gateways and restarts."""
        return _digest([self.kind, sorted(self.capabilities), self.group, *self._more()])

    def to_json(self) -> str:
        raw = {"kind": self.kind, "capabilities": sorted(self.capabilities), "group": self.group}
        return json.dumps({**raw, **dict(self._more())})

    def _more(self) -> list[tuple[str, object]]:
        """What not every demand has."""
        resources: list[tuple[str, object]] = [("resources", self.resources.to_text())] if self.resources else []
        gang: list[tuple[str, object]] = [("gang", self.gang)] if self.gang > 1 else []
        return resources + gang + ([("open", self.open)] if self.open else [])

    @classmethod
    def from_json(cls, text: str) -> "Demand":
        raw = json.loads(text)
        resources = Resources.from_text(raw.get("resources", ""))
        return cls(
            raw["kind"],
            frozenset(raw["capabilities"]),
            raw["group"],
            resources,
            raw.get("gang", 1),
            raw.get("open", ""),
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers. `resources` are its totals; None when they are not declared: then any need fits, and
    nothing is counted. `only` is the dialect through whose open door it was registered: it is given what came through
    the same door, and nothing else."""

    kinds: frozenset[str] = frozenset({"predict"})
    capabilities: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    resources: Resources | None = None
    only: str = ""

    @property
    def rounded(self) -> "Offer":
        """What all servers of its class have in common."""
        return self if self.resources is None else replace(self, resources=self.resources.shape)

    @property
    def server_class(self) -> str:
        """The id of its class: servers that offer the same, up to rounding, share one."""
        parts: list[object] = [sorted(self.kinds), sorted(self.capabilities), sorted(self.groups)]
        if self.resources is not None:
            parts.append(self.resources.shape.to_text())
        return _digest([*parts, ["only", self.only]] if self.only else parts)

    def to_json(self) -> str:
        raw: dict[str, object] = {
            "kinds": sorted(self.kinds),
            "capabilities": sorted(self.capabilities),
            "groups": sorted(self.groups),
        }
        resources = {} if self.resources is None else {"resources": self.resources.to_text()}
        return json.dumps(raw | resources | ({"only": self.only} if self.only else {}))

    @classmethod
    def from_json(cls, text: str) -> "Offer":
        raw = json.loads(text)
        resources = Resources.from_text(raw["resources"]) if "resources" in raw else None
        return cls(
            frozenset(raw["kinds"]),
            frozenset(raw["capabilities"]),
            frozenset(raw["groups"]),
            resources,
            raw.get("only", ""),
        )


def fits(demand: Demand, offer: Offer) -> bool:
    """True when a server with this offer may run a task with this demand, up to the rounding of resources."""
    return (
        offer.only in ("", demand.open)
        and demand.kind in offer.kinds
        and demand.capabilities <= offer.capabilities
        and (demand.group is None or demand.group in offer.groups)
        and (offer.resources is None or demand.resources.fits_in(offer.resources.shape))
    )


def fitting(demand: Demand, offers: Iterable[tuple[str, Offer]]) -> list[str]:
    """The ids among (id, offer) that fit the demand, in the given order."""
    return [key for key, offer in offers if fits(demand, offer)]
