"""From settings to the plain options of the parts."""

from ipaddress import ip_address

from dispatcher.dialects.cloudai.options import CloudAIOptions
from dispatcher.dialects.cluster.options import MODEL, PREDICT, ClusterOptions
from dispatcher.dialects.farm.options import FarmOptions
from dispatcher.dialects.farm.socket import SocketLimits as FarmSocketLimits
from dispatcher.dialects.jobs.options import JobsOptions
from dispatcher.dialects.native.options import TASK_PATH, NativeOptions
from dispatcher.forward import UrlPolicy
from dispatcher.launch import Options as LaunchOptions
from dispatcher.service.dispatch import DispatchOptions
from dispatcher.settings import Settings
from dispatcher.store import StoreOptions
from dispatcher.web.rates import Rates

REAP_GAP_LEAST_MS = 3_000  # ticks come once a second: a late one is not yet a gap


def store_options(settings: Settings) -> StoreOptions:
    dispatch, servers, queue, retention = settings.dispatch, settings.servers, settings.queue, settings.retention
    return StoreOptions(
        offline_after_ms=servers.offline_after,
        probe_every_ms=servers.probe_every,
        lease_ms=dispatch.lease,
        accepted_lease_ms=dispatch.accepted_lease,
        declined_wait_ms=dispatch.declined_wait,
        reap_gap_ms=max(REAP_GAP_LEAST_MS, dispatch.lease // 2),
        losses_max=dispatch.losses,
        eject_after=servers.eject_after,
        eject_base_ms=servers.eject_base,
        eject_max_ms=servers.eject_max,
        retry_budget_share=dispatch.retry_share,
        retry_budget_per_s=dispatch.retry_per_second,
        retention_ms=retention.tasks,
        stats_ms=retention.statistics,
        queue_max=queue.tasks,
        queue_bytes_max=queue.bytes,
        tenant_max=queue.tenant_tasks,
        tenant_bytes_max=queue.tenant_bytes,
        tenant_lanes_max=queue.tenant_lanes,
        lanes_max=queue.lanes,
        classes_max=queue.classes,
        log_lines_max=settings.logs.lines,
        log_bytes_max=settings.logs.bytes,
        tenant_log_bytes_max=settings.logs.tenant,
        files_max=settings.files.number,
        file_bytes_max=settings.files.largest,
        task_bytes_max=settings.files.task,
        tenant_files_max=settings.files.tenant,
    )


def dispatch_options(settings: Settings) -> DispatchOptions:
    dispatch = settings.dispatch
    return DispatchOptions(
        lease_ms=dispatch.lease,
        accepted_lease_ms=dispatch.accepted_lease,
        max_calls=dispatch.max_calls,
        other_servers=dispatch.other_servers,
        retry_base_ms=dispatch.retry_base,
        retry_max_ms=dispatch.retry_max,
    )


def native_options(settings: Settings) -> NativeOptions:
    return NativeOptions(
        aging_ms=settings.balancer.aging,
        timeout_ms=settings.dispatch.timeout,
        waiting_ms=settings.dispatch.waiting_deadline,
        sync_limit_ms=settings.dispatch.sync_wait,
        claim_lease_ms=settings.dispatch.accepted_lease,
        attempts_max=settings.dispatch.attempts,
        tenant_weights=settings.queue.tenant_weights,
        file_max=settings.files.largest,
        docs=settings.server.docs,
    )


def jobs_options(settings: Settings) -> JobsOptions:
    jobs = settings.jobs
    return JobsOptions(
        aging_ms=jobs.aging,
        waiting_ms=jobs.waiting_deadline or None,
        runtime_ms=jobs.max_runtime,
        lease_ms=jobs.lease,
        forget_ms=jobs.forget,
        wait_max_ms=jobs.claim_wait,
        report_max=jobs.max_report,
        open_metrics=jobs.open_metrics,
        tenant_weights=settings.queue.tenant_weights,
        docs=settings.server.docs,
    )


def jobs_rates(settings: Settings) -> Rates:
    jobs = settings.jobs
    return Rates(jobs.requests, jobs.submits, 0, jobs.reports, settings.limits.enabled)


def farm_options(settings: Settings) -> FarmOptions:
    farm = settings.farm
    return FarmOptions(
        lease_ms=farm.lease,
        forget_ms=farm.forget,
        strict_resources=farm.strict_resources,
        gang_restart=farm.gang_restart,
        master_port=farm.master_port,
        public_url=farm.public_url.rstrip("/"),
        tenant_weights=settings.queue.tenant_weights,
        docs=settings.server.docs,
    )


def farm_rates(settings: Settings) -> Rates:
    farm = settings.farm
    return Rates(farm.requests, 0, 0, farm.reports, settings.limits.enabled)


def farm_socket_limits(settings: Settings) -> FarmSocketLimits:
    farm = settings.farm
    return FarmSocketLimits(max_message=farm.max_message, messages_per_second=farm.messages)


def cloudai_options(settings: Settings) -> CloudAIOptions:
    return CloudAIOptions(
        aging_ms=settings.balancer.aging, tenant_weights=settings.queue.tenant_weights, docs=settings.server.docs
    )


def cloudai_rates(settings: Settings) -> Rates:
    return Rates(settings.cloudai.requests, settings.cloudai.submits, 0, 0, settings.limits.enabled)


def cluster_options(settings: Settings) -> ClusterOptions:
    cluster = settings.cluster
    return ClusterOptions(
        cluster_id=cluster.id or settings.namespace,
        kind=MODEL if cluster.runs_on == "agents" else PREDICT,
        timeout_ms=cluster.timeout,
        waiting_ms=cluster.waiting_deadline or None,
        aging_ms=settings.balancer.aging,
        attempts_max=settings.dispatch.attempts,
        public_health=cluster.public_health,
        key_in_query=cluster.key_in_query,
        sockets=cluster.sockets,
        temperature=cluster.gpu_temperature,
        gpu_memory=cluster.gpu_memory,
        utilization=cluster.gpu_utilization,
        docs=settings.server.docs,
        tenant_weights=settings.queue.tenant_weights,
    )


def cluster_rates(settings: Settings) -> Rates:
    cluster = settings.cluster
    return Rates(cluster.requests, 0, 0, 0, settings.limits.enabled, cluster.hourly)


def open_doors(settings: Settings) -> list[str]:
    """Where anybody on the network may do everything; a production gateway refuses to start with any."""
    sections = {
        "[jobs]": settings.jobs.auth,
        "[farm]": settings.farm.auth,
        "[cloudai]": settings.cloudai.auth,
        "[cluster]": settings.cluster.auth,
    }
    doors = [(name, auth, settings.server.host) for name, auth in sections.items()]
    doors += [(f"[[listeners]] port {one.port}", one.auth, one.host) for one in settings.listeners]
    return [
        f'{name} auth = "none" would let everybody in: the gateway listens on {host}, which is not loopback'
        for name, auth, host in doors
        if auth == "none" and not _is_loopback(host)
    ]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def rates(settings: Settings) -> Rates:
    limits = settings.limits
    return Rates(
        limits.default, limits.create, limits.registration, limits.worker, limits.enabled, output=limits.output
    )


def url_policy(settings: Settings) -> UrlPolicy:
    urls = settings.urls
    return UrlPolicy(allow_private=urls.private, allow_loopback=urls.loopback, allow_hosts=frozenset(urls.hosts))


def launch_options(settings: Settings) -> LaunchOptions:
    server = settings.server
    return LaunchOptions(
        engine=server.engine,
        drain_delay_s=server.drain_delay / 1000,
        drain_timeout_s=server.drain_timeout / 1000,
        ping_interval_s=server.ping_interval / 1000,
    )


def public_url(settings: Settings) -> str:
    """How GPU servers reach this gateway, without a slash at the end."""
    server = settings.server
    host = server.host
    if _everywhere(host):
        host = "::1" if ":" in host else "127.0.0.1"
    return server.public_url.rstrip("/") or f"http://{f'[{host}]' if ':' in host else host}:{server.port}"


def callback_url(settings: Settings) -> str:
    """Where GPU servers report on a task, with `{id}` for the id of the task."""
    return public_url(settings) + TASK_PATH


def callback_problems(settings: Settings) -> list[str]:
    """Why reports of GPU servers on other machines would be lost; empty when they would arrive."""
    server = settings.server
    if server.public_url or not _everywhere(server.host):
        return []
    needed = f"needed with server.host {server.host}: it is how GPU servers reach this gateway"
    return [f"server.public_url: {needed}; without it they are told {public_url(settings)}"]


def _everywhere(host: str) -> bool:
    try:
        return not host or ip_address(host).is_unspecified
    except ValueError:  # a name
        return False
