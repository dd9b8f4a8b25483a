"""The section of the Cluster Manager."""

from typing import Annotated, Literal

from dispatcher.settings.sections import Section
from dispatcher.settings.values import Duration, lasting, setting


class Cluster(Section):
    """The Cluster Manager under /cluster."""

    auth: Literal["required", "none"] = setting("required", "as [jobs] auth")
    id: str = setting("", "what the cluster is called; empty: the namespace", max_length=128)
    runs_on: Literal["agents", "servers"] = setting(
        "agents", "agents: workers of the kind model; servers: GPU servers, called at endpoints.predict"
    )
    requests: int = setting(100, "calls per minute and key; 0: no limit", ge=0)
    hourly: int = setting(1_000, "calls per hour and key, as well; 0: no limit", ge=0)
    sockets: int = setting(10, "sockets of a key at once, over all gateways", ge=1, le=10_000)
    timeout: Annotated[Duration, lasting("1s", "1d", whole="ms")] = setting(
        "300s", "time-out of an attempt when the task names none"
    )
    waiting_deadline: Annotated[Duration, lasting("0s", "366d")] = setting(
        "24h", "a task that has not started by then ends as failed; 0s: it waits on"
    )
    public_health: bool = setting(False, "true: /health needs no key")
    key_in_query: bool = setting(False, "true: sockets may bring their key as ?api_key=, which ends up in logs")
    gpu_temperature: int = setting(90, "degrees Celsius of a GPU above which there is a gpu_alert; 0: never", ge=0)
    gpu_memory: int = setting(95, "percent of a GPU's memory in use, likewise", ge=0, le=100)
    gpu_utilization: int = setting(0, "percent of a GPU's use, likewise", ge=0, le=100)
