"""The registry of the job queue."""

from dispatcher.dialects.jobs import answers as a
from dispatcher.dialects.jobs import requests as r
from dispatcher.dialects.jobs.admin_routes import AdminRoutes
from dispatcher.dialects.jobs.executor_routes import ExecutorRoutes
from dispatcher.dialects.jobs.job_routes import JobRoutes
from dispatcher.dialects.jobs.options import BASE, JobsOptions
from dispatcher.dialects.operation import ADMINS, CLIENTS, PUBLIC, Access, Operation
from dispatcher.domain.principal import Role
from dispatcher.web.rates import Rate

EXECUTORS = Access(frozenset({Role.SERVER, Role.ADMIN}), refusal="Server role required")
JOBS, EXECUTOR, ADMIN = "Jobs", "Executors", "Admin"
_JOBS, _JOB = f"{BASE}/jobs", f"{BASE}/jobs/{{id}}"


def operations(jobs: JobRoutes, executors: ExecutorRoutes, admin: AdminRoutes, options: JobsOptions) -> list[Operation]:
    metrics = PUBLIC if options.open_metrics else ADMINS
    most = options.report_max
    return [
        Operation(
            "health", "GET", f"{BASE}/health", ADMIN, "Health", PUBLIC, Rate.NONE, admin.health, answer=a.HealthAnswer
        ),
        Operation("metrics", "GET", f"{BASE}/metrics", ADMIN, "Metrics", metrics, Rate.NONE, admin.metrics, answer=str),
        Operation(
            "submitJob", "POST", _JOBS, JOBS, "Submit a job", CLIENTS, Rate.CREATE, jobs.submit,
            answer=a.SubmittedJob, request=r.SubmitJob, counts_itself=True,
        ),
        Operation(
            "listJobs", "GET", _JOBS, JOBS, "List jobs", CLIENTS, Rate.DEFAULT, jobs.find, answer=list[a.ListedJob]
        ),
        Operation(
            "getJob", "GET", _JOB, JOBS, "Job details", CLIENTS, Rate.DEFAULT, jobs.get,
            answer=a.JobDetails, counts_itself=True,
        ),
        Operation(
            "cancelJob", "DELETE", _JOB, JOBS, "Cancel a pending job", CLIENTS, Rate.DEFAULT, jobs.cancel,
            answer=a.JobDetails,
        ),
        Operation(
            "bulkSubmit", "POST", f"{_JOBS}/bulk", JOBS, "Submit many jobs", CLIENTS, Rate.CREATE, jobs.submit_many,
            answer=list[a.BulkJob], request=list[r.SubmitJob], counts_itself=True, max_body=most,
        ),
        Operation(
            "bulkCancel", "POST", f"{_JOBS}/bulk/cancel", JOBS, "Cancel many jobs", CLIENTS, Rate.DEFAULT,
            jobs.cancel_many, answer=a.CancelledJobs, request=r.CancelJobs,
        ),
        Operation(
            "claimJob", "POST", f"{_JOBS}/claim", EXECUTOR, "Claim a job", EXECUTORS, Rate.REPORT, executors.claim,
            answer=a.JobDetails, request=r.ClaimJob, empty="No job for this executor",
        ),
        Operation(
            "heartbeatJob", "PUT", f"{_JOB}/heartbeat", EXECUTOR, "The job runs", EXECUTORS, Rate.REPORT,
            executors.heartbeat, answer=a.JobDetails, request=r.Heartbeat,
        ),
        Operation(
            "completeJob", "PUT", f"{_JOB}/complete", EXECUTOR, "The job is done", EXECUTORS, Rate.REPORT,
            executors.complete, answer=a.JobDetails, request=r.CompleteJob, max_body=most,
        ),
        Operation(
            "failJob", "PUT", f"{_JOB}/fail", EXECUTOR, "The job failed", EXECUTORS, Rate.REPORT, executors.fail,
            answer=a.JobDetails, request=r.FailJob, max_body=most,
        ),
        Operation(
            "adminStats", "GET", f"{BASE}/admin/stats", ADMIN, "Statistics", ADMINS, Rate.DEFAULT, admin.stats,
            answer=a.Statistics,
        ),
        Operation(
            "adminExecutors", "GET", f"{BASE}/admin/executors", ADMIN, "Active executors", ADMINS, Rate.DEFAULT,
            admin.executors, answer=list[a.Executor],
        ),
    ]  # fmt: skip
