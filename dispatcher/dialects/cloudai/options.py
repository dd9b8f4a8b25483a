"""What an operator may set about CloudAI."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ORIGIN = "cloudai"
BASE = "/api"
KIND = "docker"
GB = 2**30
MOST_LISTED = 1_000
ACTIVE_S = 30  # a worker is active while its last heartbeat is younger, in whole seconds


@dataclass(frozen=True, slots=True)
class CloudAIOptions:
    """Durations in milliseconds.

    aging_ms       the waiting time that ten points of urgency are worth
    tenant_weights share of each tenant in the fair order; 1 for those not named
    docs           serve /docs and /openapi.json
    """

    aging_ms: int = 60_000
    tenant_weights: Mapping[str, int] = field(default_factory=dict)
    docs: bool = True
