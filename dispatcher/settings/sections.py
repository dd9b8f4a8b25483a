"""One model per section of the configuration file. The comments here are those of the file and of the reference."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

import balancer
from dispatcher.settings.values import Duration, Size, lasting, setting, sized


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def web_address(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s/?#{}]+(/[^\s?#{}]*)?", text):
        raise ValueError("must be an http:// or https:// URL without a query")
    return text


class Server(Section):
    """Where the gateway listens and how it stops."""

    host: str = setting("127.0.0.1", "address to listen on; 0.0.0.0 or :: for all")
    port: int = setting(8787, "port to listen on", ge=0, le=65_535)
    engine: Literal["auto", "hypercorn", "granian"] = setting(
        "auto", "ASGI server: hypercorn, granian (extra `fast`), or auto: granian when installed"
    )
    public_url: Annotated[str, AfterValidator(web_address)] = setting(
        "", "how GPU servers reach this gateway; empty: http://<host>:<port>, needed where host is 0.0.0.0 or ::"
    )
    docs: bool = setting(True, "serve /docs and /openapi.json of each API")
    max_body: Annotated[Size, sized("1KiB", "1GiB")] = setting(
        "1MiB", "largest request body (reports: urls.max_response); more is answered 413"
    )
    ping_interval: Annotated[Duration, lasting("1s", "1h")] = setting(
        "20s", "how often hypercorn pings an open WebSocket; granian pings none"
    )
    drain_delay: Annotated[Duration, lasting("0s", "1h")] = setting(
        "0s", "after SIGTERM: not ready, but still accepting, for so long"
    )
    drain_timeout: Annotated[Duration, lasting("0s", "24h")] = setting(
        "30s", "then running work may take so long to end; a watchdog exits 5 s later"
    )


class Auth(Section):
    """Who is believed. The keys come from the environment only."""

    issuer: str = setting("", "required `iss` of a token; empty: any")
    audience: str = setting("", "required `aud` of a token; empty: tokens that name one are refused")
    leeway: Annotated[Duration, lasting("0s", "5m", whole="s")] = setting(
        "5s", "how far the clocks of issuer and gateway may differ"
    )
    server_token_ttl: Annotated[Duration, lasting("1m", "366d", whole="s")] = setting(
        "24h", "life of the token that a registered server is given"
    )


def _policy(name: str) -> str:
    try:
        return balancer.policy_named(name).name
    except balancer.UnknownPolicy as error:
        raise ValueError(str(error)) from None


class Balancer(Section):
    """Which server gets the next task."""

    algorithm: Annotated[str, AfterValidator(_policy)] = setting(
        "round-robin", "until it is switched at run time; see docs/explanation/balancing.md"
    )
    aging: Annotated[Duration, lasting("0s", "1d")] = setting("60s", "waiting time that one level of priority is worth")


class Limits(Section):
    """Calls per fixed minute and principal, exact over all gateways. 0: no limit."""

    enabled: bool = setting(True, "false turns all of them off")
    default: int = setting(100, "requests that no other line counts", ge=0)
    create: int = setting(50, "tasks created", ge=0)
    registration: int = setting(10, "servers registered", ge=0)
    worker: int = setting(6_000, "reports and heartbeats of one server", ge=0)
    output: int = setting(6_000, "posts of log lines and files by one server", ge=0)


class Dispatch(Section):
    """How a task is run."""

    http_client: Literal["auto", "httpx", "aiohttp"] = setting(
        "auto", "client for those calls: httpx, aiohttp (extra `fast`), or auto: aiohttp when installed"
    )
    max_calls: int = setting(512, "calls to GPU servers that this gateway has open at once", ge=1)
    timeout: Annotated[Duration, lasting("100ms", "1d")] = setting(
        "300s", "one attempt, where the task names no time-out"
    )
    waiting_deadline: Annotated[Duration, lasting("1s", "366d")] = setting(
        "24h", "a task that has not started by then ends as TIMEOUT"
    )
    sync_wait: Annotated[Duration, lasting("1s", "1h")] = setting(
        "25s", "how long `async: false` waits for the end before it answers anyway"
    )
    attempts: int = setting(3, "attempts before a task ends as FAILED", ge=1, le=20)
    losses: int = setting(3, "lost attempts (server or gateway died) before a task is taken for poison", ge=1, le=20)
    other_servers: int = setting(3, "servers tried one after another when one is busy or cannot be reached", ge=0)
    retry_base: Annotated[Duration, lasting("1ms", "1h")] = setting(
        "500ms", "first wait of the exponential backoff with full jitter"
    )
    retry_max: Annotated[Duration, lasting("1ms", "1h")] = setting("30s", "longest wait of it")
    retry_share: float = setting(0.2, "retries per first attempt that the fleet allows itself", ge=0, le=1)
    retry_per_second: int = setting(10, "retries per second allowed beside that share", ge=0)
    lease: Annotated[Duration, lasting("2s", "1h")] = setting(
        "15s", "a gateway that is silent for so long loses its running attempts"
    )
    accepted_lease: Annotated[Duration, lasting("2s", "1h")] = setting("30s", "the same for a server that answered 202")
    declined_wait: Annotated[Duration, lasting("1s", "1d")] = setting(
        "30s", "a task that every worker online has declined fails when no other comes within so long"
    )

    @model_validator(mode="after")
    def _waits_grow(self) -> Self:
        if self.retry_max < self.retry_base:
            raise ValueError("retry_max must not be less than retry_base")
        return self


class Servers(Section):
    """When a GPU server is believed to be well."""

    offline_after: Annotated[Duration, lasting("2s", "1h")] = setting(
        "30s", "no heartbeat and no answer from endpoints.health for so long"
    )
    probe_every: Annotated[Duration, lasting("1s", "1h")] = setting(
        "10s", "how often endpoints.health is asked where no heartbeats come"
    )
    eject_after: int = setting(3, "faults in a row before a server is left out", ge=1)
    eject_base: Annotated[Duration, lasting("1s", "1h")] = setting("10s", "first time-out of a server; it doubles")
    eject_max: Annotated[Duration, lasting("1s", "1d")] = setting("300s", "longest time-out of a server")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.eject_max < self.eject_base:
            raise ValueError("eject_max must not be less than eject_base")
        if self.probe_every >= self.offline_after:
            raise ValueError("probe_every must be less than offline_after, or servers are offline between two probes")
        return self


class Queue(Section):
    """Bounds of what has not ended. Beyond: 429 for the tenant, 503 for the namespace."""

    tasks: int = setting(200_000, "live tasks of the namespace", ge=1)
    bytes: Annotated[Size, sized("1KiB", "1024GiB")] = setting("1GiB", "their payloads")
    tenant_tasks: int = setting(100_000, "live tasks of one tenant", ge=1)
    tenant_bytes: Annotated[Size, sized("1KiB", "1024GiB")] = setting("512MiB", "their payloads")
    tenant_weights: dict[str, Annotated[int, Field(ge=1)]] = setting({}, "share by tenant, like { acme = 3 }; others 1")
    lanes: int = setting(4_096, "distinct demands (capabilities, group, rounded resources)", ge=1)
    tenant_lanes: int = setting(256, "distinct demands of one tenant at a time", ge=1)
    classes: int = setting(256, "distinct offers of servers", ge=1)


class Retention(Section):
    """How long things are kept."""

    tasks: Annotated[Duration, lasting("1m", "366d")] = setting("7d", "ended tasks with their results")
    statistics: Annotated[Duration, lasting("1d", "3660d")] = setting("90d", "hourly figures")


class Store(Section):
    """What the Redis behind DISPATCHER_REDIS_URL must promise with --env production: AOF and noeviction."""

    loss_window: Annotated[Duration, lasting("0s", "1h")] = setting(
        "0s", "accept appendfsync everysec: what a crash may cost, 2s or more"
    )
    durability_asserted: bool = setting(False, "managed Redis that hides CONFIG: you vouch for it")


class Urls(Section):
    """Which addresses registered servers may have. Link-local and metadata addresses are always refused."""

    private: bool = setting(True, "allow private ranges")
    loopback: bool = setting(True, "allow this machine")
    hosts: tuple[str, ...] = setting((), "allowed in any case: names, *.suffix, addresses, networks")
    ca_file: str = setting("", "PEM file of a private CA, trusted beside the public ones")
    max_response: Annotated[Size, sized("1KiB", "1GiB")] = setting(
        "8MiB",
        "largest answer of a server, more is RESULT_TOO_LARGE; and largest report on a task, more is 413; over sockets "
        "at most 15MiB whatever it says",
    )


class Log(Section):
    """What is written to stderr."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "least severity")
    format: Literal["auto", "json", "text"] = setting("auto", "json lines, text, or auto: text on a terminal")


def _cron(text: str) -> str:
    if len(text.split()) != 5:
        raise ValueError('a cron line has five fields, like "* * * * *"')
    return text


class Triggers(Section):
    """Who drives the duties for all: leases that ended, retries, deadlines, probes, retention."""

    background: bool = setting(
        True,
        "each gateway, every second; false: only POST /internal/tick (its own leases and sockets go on)",
    )
    crons: tuple[Annotated[str, AfterValidator(_cron)], ...] = setting(
        (), "for the platform that makes those calls; the gateway only checks the form"
    )


class RedisNamespace(Section):
    """The namespace a gateway serves: one fleet, one queue. Its address is DISPATCHER_REDIS_URL."""

    binding: Literal["TASKS"] = setting("TASKS", "what it is to the gateway")
    id: str = setting("main", "prefix and hash tag of its keys", pattern=r"^[A-Za-z0-9_-]{1,32}$")


class Jobs(Section):
    """The job queue under /jobs."""

    auth: Literal["required", "none"] = setting(
        "required", "none: no token, everybody may do everything here; refused with --env production but on loopback"
    )
    open_metrics: bool = setting(False, "true: its metrics need no token")
    aging: Annotated[Duration, lasting("0s", "1d")] = setting(
        "0s", "waiting time that one class of priority is worth; 0s: strict order"
    )
    waiting_deadline: Annotated[Duration, lasting("0s", "366d")] = setting(
        "24h", "a job that has not started by then ends as failed; 0s: it waits on"
    )
    max_runtime: Annotated[Duration, lasting("0s", "366d")] = setting(
        "0s", "longest execution of a job, which is then run again, three times in all; 0s: any"
    )
    lease: Annotated[Duration, lasting("2s", "1h")] = setting(
        "60s", "an executor that is silent for so long loses its job; it is told with each claim"
    )
    forget: Annotated[Duration, lasting("0s", "366d")] = setting(
        "24h", "an executor that was not heard of for so long is forgotten; 0s: never"
    )
    claim_wait: Annotated[Duration, lasting("0s", "1h")] = setting("30s", "longest wait of one claim (?wait=s)")
    max_report: Annotated[Size, sized("1KiB", "1GiB")] = setting(
        "16MiB", "largest body of complete, fail and bulk submit"
    )
    requests: int = setting(0, "calls per minute and principal that the next two do not count; 0: no limit", ge=0)
    submits: int = setting(0, "submits and bulk submits", ge=0)
    reports: int = setting(0, "claims, heartbeats and reports of one executor", ge=0)


class Listener(Section):
    """One more port, with one API at /. A port in use is an error that names it."""

    dialect: Literal["native", "jobs", "farm", "cloudai", "cluster"] = setting("native", "the API served there")
    auth: Literal["required", "none"] = setting("required", "none: as [jobs] auth, for this port; not with native")
    host: str = setting("127.0.0.1", "address to listen on")
    port: int = setting(8788, "port to listen on", ge=0, le=65_535)

    @model_validator(mode="after")
    def _native_needs_tokens(self) -> "Listener":
        if self.dialect == "native" and self.auth == "none":
            raise ValueError('the native API has no auth = "none"')
        return self
