"""A discrete-event simulator over the real policies: compare algorithms on a synthetic or recorded trace.

`python -m balancer.simulator --help`
"""

from balancer.simulator.engine import SIZES, Binding, Job, Result, Server, poisson, read_trace, simulate

__all__ = ["SIZES", "Binding", "Job", "Result", "Server", "poisson", "read_trace", "simulate"]
