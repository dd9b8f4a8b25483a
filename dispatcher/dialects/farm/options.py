"""What an operator may set about the farm."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ORIGIN = "farm"
BASE = "/api"
VERSION = "1.0"
KIND = "training"
POINTS = 50  # the document knows no priorities
MB = 2**20
MOST_RANKS = 64
MOST_METRICS = 16_384  # bytes of the metrics that one report may bring


@dataclass(frozen=True, slots=True)
class FarmOptions:
    """Durations in milliseconds.

    lease_ms         a client that is silent for so long loses its task, and is inactive
    forget_ms        a client that was not heard of for so long is forgotten; 0: never
    strict_resources clients that report no resources get only tasks of the least requirements; else any
    gang_restart     a lost rank puts a distributed task back into the queue; False: the task fails
    master_port      where the first of several clients is to listen for the others
    public_url       how the API is reached, without a slash at the end; empty: as each request names it
    tenant_weights   share of each tenant in the fair order; 1 for those not named
    docs             serve /docs and /openapi.json
    """

    lease_ms: int = 30_000
    forget_ms: int = 86_400_000
    strict_resources: bool = False
    gang_restart: bool = True
    master_port: int = 29_500
    public_url: str = ""
    tenant_weights: Mapping[str, int] = field(default_factory=dict)
    docs: bool = True
