"""Flows of the statistics and of the load balancer. A `date` is `YYYY-MM-DD` in UTC, today when left out."""

from dispatcher_sdk.flows.send import call, parse, segment
from dispatcher_sdk.flows.steps import Flow, Options
from dispatcher_sdk.models import AlgorithmAck, HourlyReport, LoadBalancerStatus, ServerStats, TaskStats


def tasks(options: Options, date: str | None = None) -> Flow[TaskStats]:
    """One day of tasks."""
    return parse(TaskStats, (yield from call(options, "GET", "/api/stats/tasks", query={"date": date})))


def hourly(options: Options, date: str | None = None) -> Flow[HourlyReport]:
    """One day of tasks, hour by hour."""
    return parse(HourlyReport, (yield from call(options, "GET", "/api/stats/hourly", query={"date": date})))


def server(options: Options, server_id: str, date: str | None = None) -> Flow[ServerStats]:
    """One day of one server."""
    path = f"/api/stats/servers/{segment(server_id)}"
    return parse(ServerStats, (yield from call(options, "GET", path, query={"date": date})))


def load_balancer(options: Options) -> Flow[LoadBalancerStatus]:
    """The algorithm in force and how the load lies."""
    return parse(LoadBalancerStatus, (yield from call(options, "GET", "/api/stats/load-balancer")))


def set_algorithm(options: Options, algorithm: str) -> Flow[AlgorithmAck]:
    """Switch the algorithm, for example to `least-connections`; every gateway follows within a second. Needs admin."""
    path = "/api/stats/load-balancer/algorithm"
    return parse(AlgorithmAck, (yield from call(options, "POST", path, body={"algorithm": algorithm}, repeatable=True)))
