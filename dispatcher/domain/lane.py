"""What a task asks of a server, what a server offers, and whether they fit.

A lane is a distinct set of demands, a class a distinct set of offers. Both are few, so they are matched once, when
either is new, and the store keeps one queue per lane instead of looking at tasks one by one.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass


def _digest(parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Demand:
    """What a task asks of a server. `kind` names the protocol family that can run it (`predict`, later others)."""

    kind: str = "predict"
    capabilities: frozenset[str] = frozenset()
    group: str | None = None
    gang: int = 1  # ranks that start together: gangs of one size share a queue, so that they are passed over at once

    @property
    def lane(self) -> str:
        """The id of its lane: equal demands share one, over all gateways and restarts."""
        parts = [self.kind, sorted(self.capabilities), self.group]
        return _digest([*parts, self.gang] if self.gang > 1 else parts)

    def to_json(self) -> str:
        raw = {"kind": self.kind, "capabilities": sorted(self.capabilities), "group": self.group, "gang": self.gang}
        return json.dumps(raw)

    @classmethod
    def from_json(cls, text: str) -> "Demand":
        raw = json.loads(text)
        return cls(raw["kind"], frozenset(raw["capabilities"]), raw["group"], raw.get("gang", 1))


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers."""

    kinds: frozenset[str] = frozenset({"predict"})
    capabilities: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    @property
    def server_class(self) -> str:
        """The id of its class: servers that offer the same share one."""
        return _digest([sorted(self.kinds), sorted(self.capabilities), sorted(self.groups)])

    def to_json(self) -> str:
        return json.dumps(
            {"kinds": sorted(self.kinds), "capabilities": sorted(self.capabilities), "groups": sorted(self.groups)}
        )

    @classmethod
    def from_json(cls, text: str) -> "Offer":
        raw = json.loads(text)
        return cls(frozenset(raw["kinds"]), frozenset(raw["capabilities"]), frozenset(raw["groups"]))


def fits(demand: Demand, offer: Offer) -> bool:
    """True when a server with this offer may run a task with this demand."""
    return (
        demand.kind in offer.kinds
        and demand.capabilities <= offer.capabilities
        and (demand.group is None or demand.group in offer.groups)
    )


def fitting(demand: Demand, offers: Iterable[tuple[str, Offer]]) -> list[str]:
    """The ids among (id, offer) that fit the demand, in the given order."""
    return [key for key, offer in offers if fits(demand, offer)]
