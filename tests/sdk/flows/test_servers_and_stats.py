"""The flows of servers, statistics and the load balancer."""

from typing import Any

import pytest

from dispatcher_sdk.errors import InvalidAnswer
from dispatcher_sdk.flows import servers, stats
from dispatcher_sdk.flows.steps import Flow, Response
from tests.sdk.script import answer, body, options, play, requests

SERVER = {"id": "server_1", "name": "gpu", "status": "online"}
ACK = {"message": "m", "serverId": "server_1"}


def test_register_sends_the_documented_fields_and_reads_the_servers_own_token() -> None:
    flow = servers.register(
        options(),
        "gpu-server-01",
        {"predict": "https://server1.example.com/predict"},
        api_key="server-api-key",
        max_concurrent=10,
        capabilities=["video", "image"],
        groups=["production"],
        priority=1,
    )
    registered, steps = play(flow, answer(200, {**ACK, "serverToken": "jwt"}))
    (request,) = requests(steps)
    assert body(request) == {
        "name": "gpu-server-01",
        "endpoints": {"predict": "https://server1.example.com/predict"},
        "apiKey": "server-api-key",
        "maxConcurrent": 10,
        "capabilities": ["video", "image"],
        "groups": ["production"],
        "priority": 1,
    }
    assert request.headers["Idempotency-Key"] == "key-1"
    assert registered.server_token == "jwt"
    assert "jwt" not in repr(registered)


def test_a_heartbeat_says_what_is_running_and_may_be_answered_with_nothing_but_a_message() -> None:
    flow = servers.heartbeat(
        options(), "server_1", active_tasks=1, metrics={"cpu": 45}, running=["task_1"], boot_id="boot"
    )
    beat, steps = play(flow, answer(200, {"message": "Heartbeat updated"}))
    assert body(requests(steps)[0]) == {
        "status": "healthy",
        "activeTasks": 1,
        "metrics": {"cpu": 45},
        "running": ["task_1"],
        "bootId": "boot",
    }
    assert beat.server_id == "server_1"


def test_an_unpaged_listing_is_one_page() -> None:
    page, steps = play(servers.list_all(options(), group="eu").page(0), answer(200, {"servers": [SERVER]}))
    assert requests(steps)[0].query == {"group": "eu"}
    assert [server.id for server in page.items] == ["server_1"]
    assert page.next_offset is None


@pytest.mark.parametrize(
    ("flow", "method", "url", "given"),
    [
        (servers.get(options(), "server_1"), "GET", "/api/servers/server_1", SERVER),
        (servers.unregister(options(), "server_1"), "DELETE", "/api/servers/server_1", ACK),
        (servers.maintenance(options(), "server_1"), "POST", "/api/servers/server_1/maintenance", ACK),
        (
            stats.set_algorithm(options(), "random"),
            "POST",
            "/api/stats/load-balancer/algorithm",
            {"message": "m", "algorithm": "random"},
        ),
    ],
)
def test_paths(flow: Flow[Any], method: str, url: str, given: dict[str, Any]) -> None:
    _, steps = play(flow, answer(200, given))
    assert (requests(steps)[0].method, requests(steps)[0].url) == (method, url)


def test_a_day_is_asked_for_by_date() -> None:
    flow = stats.hourly(options(), "2024-01-06")
    report, steps = play(flow, answer(200, {"date": "2024-01-06", "hours": []}))
    assert requests(steps)[0].query == {"date": "2024-01-06"}
    assert report.date == "2024-01-06"


def test_an_answer_of_another_shape_is_an_invalid_answer_that_quotes_no_data() -> None:
    with pytest.raises(InvalidAnswer) as caught:
        play(servers.get(options(), "server_1"), answer(200, {"id": ["confidential"]}))
    assert "confidential" not in str(caught.value)


def test_a_server_that_claims_registers_without_endpoints_and_key() -> None:
    _, steps = play(servers.register(options(), "w", transport="pull"), answer(200, ACK))
    sent = body(requests(steps)[0])
    assert sent["transport"] == "pull"
    assert not {"endpoints", "apiKey"} & sent.keys()


def test_a_claim_waits_and_answers_a_task_or_none() -> None:
    task = {
        "taskId": "task_1", "type": "t", "priority": 5, "payload": {"n": 1}, "capabilities": [], "attempt": 2,
        "callbackUrl": "http://gateway/api/task/task_1", "callbackToken": "cb_2", "deadline": 9, "lease": 30,
    }  # fmt: skip
    claimed, steps = play(servers.claim(options(), "server_1", wait=20), answer(200, task))
    (request,) = requests(steps)
    assert (request.method, request.url, body(request)) == ("POST", "/api/servers/server_1/claim", {"wait": 20})
    assert request.timeout == options().timeout + 20
    assert not request.repeatable, "a second one would claim a second task"
    assert claimed is not None
    assert (claimed.task_id, claimed.attempt, claimed.payload, claimed.lease) == ("task_1", 2, {"n": 1}, 30)
    assert "cb_2" not in repr(claimed)
    assert play(servers.claim(options(), "server_1"), Response(204))[0] is None
