"""Policies by name: the built-in ones, and those that installed packages add."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from balancer.errors import BrokenPlugin, UnknownPolicy
from balancer.least_connections import LeastConnections
from balancer.peak_ewma import PeakEwma
from balancer.policy import Needs, Policy
from balancer.power_of_two import PowerOfTwo
from balancer.random_choice import RandomChoice, WeightedRandom
from balancer.rendezvous_hash import RendezvousHash
from balancer.round_robin import RoundRobin
from balancer.weighted_round_robin import WeightedRoundRobin

ENTRY_POINT_GROUP = "edge_dispatcher.policies"

BUILT_IN: tuple[type[Policy], ...] = (
    RoundRobin,
    WeightedRoundRobin,
    LeastConnections,
    RandomChoice,
    WeightedRandom,
    PowerOfTwo,
    PeakEwma,
    RendezvousHash,
)


def known_policies() -> tuple[str, ...]:
    """Every name that `policy_named` looks up, built-in ones first. Loads no plugin."""
    built_in = [policy.name for policy in BUILT_IN]
    return tuple(dict.fromkeys([*built_in, *sorted(_plugins())]))


def policy_named(name: str) -> Policy:
    """The policy of this name, one instance for the whole process.

    Plugins are found once and loaded at their first use, so that a broken one harms only those who ask for it.
    Raises UnknownPolicy, or BrokenPlugin when the plugin of this name can't be used.
    """
    built_in = [policy for policy in BUILT_IN if policy.name == name]
    plugins = _plugins().get(name, ())
    if plugins and len(built_in) + len(plugins) > 1:
        targets = ", ".join(plugin.value for plugin in plugins)
        raise BrokenPlugin(name, targets, "the name is taken by another policy")
    if plugins:
        return _instance(_load(plugins[0]))
    if built_in:
        return _instance(built_in[0])
    raise UnknownPolicy(name, known_policies())


@cache
def _plugins() -> Mapping[str, tuple[EntryPoint, ...]]:
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for plugin in entry_points(group=ENTRY_POINT_GROUP):
        # a package that is on the path twice (say, installed and in the working directory) is still one plugin
        if plugin.value not in [other.value for other in found.get(plugin.name, ())]:
            found[plugin.name] = (*found.get(plugin.name, ()), plugin)
    return found


@cache
def _load(plugin: EntryPoint) -> type[Policy]:
    try:
        policy: type[Policy] = plugin.load()
    except Exception as error:
        raise BrokenPlugin(plugin.name, plugin.value, f"{type(error).__name__}: {error}") from error
    if not isinstance(policy, type) or not callable(getattr(policy, "choose", None)):
        raise BrokenPlugin(plugin.name, plugin.value, "it is not a class with a method `choose`")
    if getattr(policy, "name", None) != plugin.name:
        raise BrokenPlugin(plugin.name, plugin.value, f"its `name` must be {plugin.name!r}")
    if not isinstance(getattr(policy, "needs", None), Needs):
        raise BrokenPlugin(plugin.name, plugin.value, "its `needs` must be a member of balancer.Needs")
    return policy


@cache
def _instance(policy: type[Policy]) -> Policy:
    return policy()
