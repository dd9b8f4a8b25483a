"""The registry of the job queue."""

from dispatcher.dialects.jobs import answers as a
from dispatcher.dialects.jobs import examples as x
from dispatcher.dialects.jobs import parameters as p
from dispatcher.dialects.jobs import requests as r
from dispatcher.dialects.jobs.admin_routes import AdminRoutes
from dispatcher.dialects.jobs.executor_routes import ExecutorRoutes
from dispatcher.dialects.jobs.job_routes import JobRoutes
from dispatcher.dialects.jobs.metrics_text import CONTENT_TYPE
from dispatcher.dialects.jobs.options import BASE, JobsOptions
from dispatcher.dialects.operation import ADMINS, CLIENTS, PUBLIC, Access, Operation
from dispatcher.domain import errors as e
from dispatcher.domain.principal import Role
from dispatcher.web.rates import Rate

EXECUTORS = Access(frozenset({Role.SERVER, Role.ADMIN}), refusal="Server role required")
JOBS, EXECUTOR, ADMIN = "Jobs", "Executors", "Admin"
_JOBS, _JOB = f"{BASE}/jobs", f"{BASE}/jobs/{{id}}"
_BODY = (e.Invalid, e.TooSlow, e.TooLarge, e.UnsupportedMedia, e.Forbidden)
_NEW = (*_BODY, e.QuotaExceeded)
_GONE = (e.Forbidden, e.NotFound)


def operations(jobs: JobRoutes, executors: ExecutorRoutes, admin: AdminRoutes, options: JobsOptions) -> list[Operation]:
    return [
        *_of_the_queue(admin, options),
        *_of_clients(jobs, options),
        *_of_executors(executors, options),
    ]


def _of_clients(jobs: JobRoutes, options: JobsOptions) -> list[Operation]:
    return [
        Operation(
            "submitJob", "POST", _JOBS, JOBS, "Submit a job", CLIENTS, Rate.CREATE, jobs.submit,
            answer=a.SubmittedJob, request=r.SubmitJob, counts_itself=True, status=201,
            parameters=(p.KEY,), answer_headers=(p.LOCATION,), errors=(*_NEW, e.KeyReused), example=x.SUBMIT,
        ),
        Operation(
            "listJobs", "GET", _JOBS, JOBS, "List jobs", CLIENTS, Rate.DEFAULT, jobs.find, answer=list[a.ListedJob],
            parameters=p.FILTERS, answer_headers=(p.TOTAL,), errors=(e.Invalid, e.Forbidden), example=x.LIST,
        ),
        Operation(
            "getJob", "GET", _JOB, JOBS, "Job details", CLIENTS, Rate.DEFAULT, jobs.get,
            answer=a.JobDetails, counts_itself=True, errors=_GONE, example=x.GET,
        ),
        Operation(
            "cancelJob", "DELETE", _JOB, JOBS, "Cancel a pending job", CLIENTS, Rate.DEFAULT, jobs.cancel,
            answer=a.JobDetails, errors=(*_GONE, e.IllegalState), example=x.CANCEL,
        ),
        Operation(
            "bulkSubmit", "POST", f"{_JOBS}/bulk", JOBS, "Submit many jobs", CLIENTS, Rate.CREATE, jobs.submit_many,
            answer=list[a.BulkJob], request=list[r.SubmitJob], counts_itself=True, max_body=options.report_max,
            status=201, errors=_NEW, example=x.BULK_SUBMIT,
        ),
        Operation(
            "bulkCancel", "POST", f"{_JOBS}/bulk/cancel", JOBS, "Cancel many jobs", CLIENTS, Rate.DEFAULT,
            jobs.cancel_many, answer=a.CancelledJobs, request=r.CancelJobs, errors=_BODY, example=x.BULK_CANCEL,
        ),
    ]  # fmt: skip


def _of_executors(executors: ExecutorRoutes, options: JobsOptions) -> list[Operation]:
    most = options.report_max
    return [
        Operation(
            "claimJob", "POST", f"{_JOBS}/claim", EXECUTOR, "Claim a job", EXECUTORS, Rate.REPORT, executors.claim,
            answer=a.JobDetails, request=r.ClaimJob, empty="No job for this executor", parameters=p.WAIT,
            answer_headers=(p.LEASE,), errors=_BODY, example=x.CLAIM,
        ),
        Operation(
            "heartbeatJob", "PUT", f"{_JOB}/heartbeat", EXECUTOR, "The job runs", EXECUTORS, Rate.REPORT,
            executors.heartbeat, answer=a.JobDetails, request=r.Heartbeat, parameters=(p.ATTEMPT,),
            errors=(*_BODY, e.NotFound), example=x.HEARTBEAT,
        ),
        Operation(
            "completeJob", "PUT", f"{_JOB}/complete", EXECUTOR, "The job is done", EXECUTORS, Rate.REPORT,
            executors.complete, answer=a.JobDetails, request=r.CompleteJob, max_body=most, parameters=(p.ATTEMPT,),
            errors=(*_BODY, e.NotFound, e.IllegalState), example=x.COMPLETE,
        ),
        Operation(
            "failJob", "PUT", f"{_JOB}/fail", EXECUTOR, "The job failed", EXECUTORS, Rate.REPORT, executors.fail,
            answer=a.JobDetails, request=r.FailJob, max_body=most, parameters=(p.ATTEMPT,),
            errors=(*_BODY, e.NotFound, e.IllegalState), example=x.FAIL,
        ),
    ]  # fmt: skip


def _of_the_queue(admin: AdminRoutes, options: JobsOptions) -> list[Operation]:
    metrics = PUBLIC if options.open_metrics else ADMINS
    return [
        Operation(
            "health", "GET", f"{BASE}/health", ADMIN, "Health", PUBLIC, Rate.NONE, admin.health,
            answer=a.HealthAnswer, also=(503,), example=x.HEALTH,
        ),
        Operation(
            "metrics", "GET", f"{BASE}/metrics", ADMIN, "Metrics", metrics, Rate.NONE, admin.metrics, answer=str,
            media=CONTENT_TYPE, errors=(e.Unavailable,) if metrics.public else (e.Forbidden,), example=x.METRICS,
        ),
        Operation(
            "adminStats", "GET", f"{BASE}/admin/stats", ADMIN, "Statistics", ADMINS, Rate.DEFAULT, admin.stats,
            answer=a.Statistics, errors=(e.Forbidden,), example=x.STATS,
        ),
        Operation(
            "adminExecutors", "GET", f"{BASE}/admin/executors", ADMIN, "Active executors", ADMINS, Rate.DEFAULT,
            admin.executors, answer=list[a.Executor], errors=(e.Forbidden,), example=x.EXECUTORS,
        ),
    ]  # fmt: skip
