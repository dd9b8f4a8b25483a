"""The numbers that every store follows. Times are milliseconds."""

from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Bounds and periods of a namespace; every gateway of it must use the same."""

    first_right_ms: int = 250  # for so long only the creator may start a task
    behind_ms: int = 250  # a head that waited longer goes before a claim
    avoid_ms: int = 5_000  # a task is not granted to a server that failed it for so long, if there is another
    gather_ms: int = 30_000  # a gang that was passed over for so long gathers its workers
    offer_ms: int = 3_000  # a rank that its worker has not taken by then is given up, and with it the gang's attempt
    declined_max: int = 256  # waiting tasks that a worker declined are stepped over in one go, when it asks for another
    declined_wait_ms: int = 30_000  # for so long a task that nobody is left for waits for others to come
    lease_ms: int = 15_000  # of an attempt that a gateway holds
    accepted_lease_ms: int = 30_000  # of an attempt that a server accepted with 202
    reap_gap_ms: int = 7_500  # after so long without a tick no lease is reaped for one lease length
    offline_after_ms: int = 30_000
    probe_every_ms: int = 10_000  # of a server that lives by its health endpoint
    retention_ms: int = 7 * DAY_MS
    stats_ms: int = 90 * DAY_MS

    losses_max: int = 3
    eject_after: int = 3  # consecutive faults
    eject_base_ms: int = 10_000  # doubles with every ejection
    eject_max_ms: int = 300_000
    rest_min_ms: int = 1_000  # a busy server is left alone at least and at most for so long
    rest_max_ms: int = 60_000
    retry_budget_share: float = 0.2  # tokens that every first attempt earns
    retry_budget_per_s: float = 10
    retry_budget_cap: float = 500
    retry_wait_max_ms: int = 3_600_000  # without budget and without deadline
    retry_delay_ms: int = 1_000  # after a time-out that no gateway reported

    queue_max: int = 200_000  # live tasks of the namespace
    queue_bytes_max: int = 1 << 30
    tenant_max: int = 100_000
    tenant_bytes_max: int = 512 << 20
    lanes_max: int = 4_096  # lanes with live tasks
    tenant_lanes_max: int = 256
    classes_max: int = 256
    attempts_kept: int = 20
    metrics_bytes_kept: int = 256 << 10
    metrics_kept: int = 256  # reports with metrics, of a task
    updates_kept: int = 64
    events_kept: int = 10_000
    waiters_max: int = 8

    log_lines_max: int = 100_000  # kept of a task
    log_bytes_max: int = 10 << 20
    tenant_log_bytes_max: int = 2 << 30  # of all its tasks; beyond, each task that says more keeps `log_bytes_least`
    log_bytes_least: int = 64 << 10
    files_max: int = 1_000  # of a task
    file_bytes_max: int = 1 << 30  # of one file
    task_bytes_max: int = 4 << 30  # of the files of a task
    tenant_files_max: int = 100 << 30  # bytes of the files of a tenant
