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
    """What a task asks of a server. `kind` names the protocol family that can run it (`predict`, later others);
    `resources` is the rounded shape of what it needs, see `shaped`."""

    kind: str = "predict"
    capabilities: frozenset[str] = frozenset()
    group: str | None = None
    resources: Resources = NOTHING

    def shaped(self, needs: Resources) -> "Demand":
        """The same demand of a task that needs so much."""
        return replace(self, resources=needs.shape)

    @property
    def lane(self) -> str:
        """The id of its lane: equal demands share one, over all gateways and restarts."""
        parts: list[object] = [self.kind, sorted(self.capabilities), self.group]
        return _digest([*parts, self.resources.to_text()] if self.resources else parts)

    def to_json(self) -> str:
        raw = {"kind": self.kind, "capabilities": sorted(self.capabilities), "group": self.group}
        return json.dumps(raw | {"resources": self.resources.to_text()} if self.resources else raw)

    @classmethod
    def from_json(cls, text: str) -> "Demand":
        raw = json.loads(text)
        resources = Resources.from_text(raw.get("resources", ""))
        return cls(raw["kind"], frozenset(raw["capabilities"]), raw["group"], resources)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers. `resources` are its totals; None when they are not declared: then any need fits, and
    nothing is counted."""

    kinds: frozenset[str] = frozenset({"predict"})
    capabilities: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    resources: Resources | None = None

    @property
    def rounded(self) -> "Offer":
        """What all servers of its class have in common."""
        return self if self.resources is None else replace(self, resources=self.resources.shape)

    @property
    def server_class(self) -> str:
        """The id of its class: servers that offer the same, up to rounding, share one."""
        parts: list[object] = [sorted(self.kinds), sorted(self.capabilities), sorted(self.groups)]
        return _digest(parts if self.resources is None else [*parts, self.resources.shape.to_text()])

    def to_json(self) -> str:
        raw = {"kinds": sorted(self.kinds), "capabilities": sorted(self.capabilities), "groups": sorted(self.groups)}
        return json.dumps(raw if self.resources is None else raw | {"resources": self.resources.to_text()})

    @classmethod
    def from_json(cls, text: str) -> "Offer":
        raw = json.loads(text)
        resources = Resources.from_text(raw["resources"]) if "resources" in raw else None
        return cls(frozenset(raw["kinds"]), frozenset(raw["capabilities"]), frozenset(raw["groups"]), resources)


def fits(demand: Demand, offer: Offer) -> bool:
    """True when a server with this offer may run a task with this demand, up to the rounding of resources."""
    return (
        demand.kind in offer.kinds
        and demand.capabilities <= offer.capabilities
        and (demand.group is None or demand.group in offer.groups)
        and (offer.resources is None or demand.resources.fits_in(offer.resources.shape))
    )


def fitting(demand: Demand, offers: Iterable[tuple[str, Offer]]) -> list[str]:
    """The ids among (id, offer) that fit the demand, in the given order."""
    return [key for key, offer in offers if fits(demand, offer)]
