"""What an operator may set about the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ORIGIN = "cluster"
VERSION = "1.0.0"  # of the API
POINTS = {"low": 20, "normal": 50, "high": 80, "critical": 95}
MODEL, PREDICT = "model", "predict"  # the kinds of workers that tasks can be for


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Durations in milliseconds.

    cluster_id      what the cluster is called
    kind            what runs the tasks: workers of the kind `model`, or GPU servers that are called (`predict`)
    timeout_ms      time-out of an attempt that names none
    waiting_ms      how long a task may wait for its first start; None = for ever
    aging_ms        waiting time that 10 points of priority are worth
    attempts_max    attempts before a task ends as failed
    public_health   /health needs no key
    key_in_query    sockets may bring their key as ?api_key=
    sockets         that a client may hold at once, over all gateways
    temperature     of a GPU in degrees Celsius, above which there is an alert; 0: never
    gpu_memory      percent of a GPU's memory in use, as above
    utilization     percent of a GPU's use, as above
    docs            serve /docs and /openapi.json
    tenant_weights  share of each tenant in the fair order; 1 for those not named
    """

    cluster_id: str = "main"
    kind: str = MODEL
    timeout_ms: int = 300_000
    waiting_ms: int | None = 86_400_000
    aging_ms: int = 60_000
    attempts_max: int = 3
    public_health: bool = False
    key_in_query: bool = False
    sockets: int = 10
    temperature: float = 90
    gpu_memory: float = 95
    utilization: float = 0
    docs: bool = True
    tenant_weights: Mapping[str, int] = field(default_factory=dict)

    def boost_ms(self, priority: str) -> int:
        """What a priority is worth in waiting time."""
        return POINTS[priority] * self.aging_ms // 10
