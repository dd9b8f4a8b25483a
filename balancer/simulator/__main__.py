"""Compare policies on one trace in a table, or with --chart over the load in a picture."""

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO, TypeVar

from balancer.errors import BalancerError
from balancer.registry import known_policies, policy_named
from balancer.simulator.chart import line_chart
from balancer.simulator.engine import SIZES, Binding, Job, Result, Server, poisson, read_trace, simulate

CHART_LOADS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
T = TypeVar("T")


def main(arguments: Sequence[str] | None = None, out: TextIO = sys.stdout) -> int:
    """Exit status 0, or 2 after an error that was written to stderr. `arguments` None: those of the process."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        fleet = _fleet(options)
        if options.chart:
            Path(options.chart).write_text(_chart(options, fleet), encoding="utf-8")
            out.write(f"wrote {options.chart}\n")
        else:
            out.write(_table(options, fleet, _jobs(options, fleet, options.load)))
    except (BalancerError, ValueError, OSError) as error:
        parser.error(str(error))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m balancer.simulator", description=__doc__)
    parser.add_argument("--policies", type=_list_of(str), default=list(known_policies()), help="names, comma-separated")
    parser.add_argument("--speeds", type=_list_of(float), default=[1.0] * 8, help="one per server (default: 8 of 1)")
    parser.add_argument("--weights", type=_list_of(int), help="one per server (default: all 1)")
    parser.add_argument("--slots", type=int, default=1, help="jobs that each server runs at once (default: 1)")
    parser.add_argument("--load", type=float, default=0.85, help="fraction of the fleet's capacity (default: 0.85)")
    parser.add_argument("--sizes", choices=sorted(SIZES), default="exp", help="distribution of the job sizes, mean 1")
    parser.add_argument("--trace", help="CSV file `arrival,size[,key]` instead of a synthetic trace")
    parser.add_argument("--jobs", type=int, default=25_000, help="length of a synthetic trace (default: 25000)")
    parser.add_argument("--gateways", type=int, default=4, help="gateways for early binding (default: 4)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chart", metavar="FILE.svg", help="draw the p99 of early binding over the load instead")
    return parser


def _list_of(kind: Callable[[str], T]) -> Callable[[str], list[T]]:
    def parse(text: str) -> list[T]:
        return [kind(part.strip()) for part in text.split(",")]

    parse.__name__ = f"list of {kind.__name__}"  # argparse shows it in its errors
    return parse


def _fleet(options: argparse.Namespace) -> list[Server]:
    weights = options.weights or [1] * len(options.speeds)
    if len(weights) != len(options.speeds):
        raise ValueError(f"{len(options.speeds)} speeds but {len(weights)} weights")
    if min(options.speeds) <= 0 or options.slots < 1 or options.load <= 0 or options.gateways < 1 or options.jobs < 1:
        raise ValueError("speeds, slots, load, gateways and jobs must be positive")
    return [Server(options.slots, speed, weight) for speed, weight in zip(options.speeds, weights, strict=True)]


def _jobs(options: argparse.Namespace, fleet: Sequence[Server], load: float) -> list[Job]:
    if options.trace:
        with Path(options.trace).open(encoding="utf-8", newline="") as lines:
            return read_trace(lines)
    rate = load * sum(server.slots * server.speed for server in fleet)
    return poisson(options.jobs, rate, SIZES[options.sizes], random.Random(options.seed))


def _run(name: str, options: argparse.Namespace, fleet: Sequence[Server], jobs: Sequence[Job], how: Binding) -> Result:
    rng = random.Random(options.seed)
    result = simulate(policy_named(name), fleet, jobs, rng, binding=how, gateways=options.gateways)
    return result.after_warm_up()


def _table(options: argparse.Namespace, fleet: Sequence[Server], jobs: Sequence[Job]) -> str:
    rows = [
        "| policy | early mean | early p99 | late mean | late p99 |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in options.policies:
        early, late = (_run(name, options, fleet, jobs, how) for how in (Binding.EARLY, Binding.LATE))
        figures = (early.mean(), early.percentile(0.99), late.mean(), late.percentile(0.99))
        rows.append(f"| {name} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")
    return "\n".join(rows) + "\n"


def _chart(options: argparse.Namespace, fleet: Sequence[Server]) -> str:
    if options.trace:
        raise ValueError("--chart varies the load, which a recorded trace has fixed")
    series: dict[str, list[tuple[float, float]]] = {name: [] for name in [*options.policies, "one shared queue"]}
    for load in CHART_LOADS:
        jobs = _jobs(options, fleet, load)
        for name in options.policies:
            early = _run(name, options, fleet, jobs, Binding.EARLY)
            series[name].append((load, early.percentile(0.99)))
        shared = _run("least-connections", options, fleet, jobs, Binding.LATE)
        series["one shared queue"].append((load, shared.percentile(0.99)))
    gateways = f"{options.gateways} gateway{'s' if options.gateways > 1 else ''}"
    title = f"Slowest 1 % of jobs: {gateways} that push at once, and one shared queue"
    return line_chart(title, "load (fraction of capacity)", "p99 of wait + service, in mean service times", series)


if __name__ == "__main__":
    sys.exit(main())
