"""The documented limits, per principal, with their headers."""

from collections.abc import AsyncIterator

import pytest

from dispatcher.store.options import StoreOptions
from dispatcher.web.rates import Rates
from tests.dialects.native.world import CREATE, REGISTER, START_MS, World


@pytest.fixture
async def limited() -> AsyncIterator[World]:
    made = World(rates=Rates())
    yield made
    await made.close()


HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@pytest.mark.parametrize(
    ("method", "path", "token", "body", "limit"),
    [
        ("GET", "/api/tasks", "client-a", None, 100),
        ("GET", "/api/task/task_x", "client-a", None, 100),
        ("GET", "/api/task/no id", "client-a", None, 100),
        ("DELETE", "/api/task/task_x", "client-a", None, 100),
        ("GET", "/api/servers", "client-a", None, 100),
        ("POST", "/api/servers", "client-a", REGISTER, 10),
        ("PUT", "/api/task/task_x", "client-a", {"progress": 1}, 100),
        ("GET", "/api/stats/tasks?date=x", "client-a", None, 100),
        ("POST", "/api/task", "client-a", CREATE, 50),
        ("POST", "/api/task", "client-a", {"priority": "wrong"}, 50),
        ("POST", "/api/servers", "admin", REGISTER, 10),
        ("POST", "/api/servers", "admin", {}, 10),
    ],
)
async def test_each_limit_is_exact_for_good_calls_and_bad(
    limited: World, method: str, path: str, token: str, body: object, limit: int
) -> None:
    for n in range(limit):
        answer = await limited.call(method, path, token, body)
        assert answer.status_code < 429
        assert [int(answer.headers[h]) for h in HEADERS] == [limit, limit - n - 1, START_MS // 1000 + 60]
    refused = await limited.call(method, path, token, body)
    assert refused.status_code == 429
    assert [refused.headers[h] for h in HEADERS[:2]] == [str(limit), "0"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    error = refused.json()
    assert (error["error"], error["code"]) == ("Too many requests", "RATE_LIMITED")
    limited.clock.advance(60_000)
    assert (await limited.call(method, path, token, body)).status_code < 429


async def test_limits_are_per_principal_and_rule(limited: World) -> None:
    for _ in range(50):
        await limited.call("POST", "/api/task", body={})
    assert (await limited.call("POST", "/api/task", body=CREATE)).status_code == 429
    assert (await limited.call("POST", "/api/task", "client-b", CREATE)).status_code == 200
    assert (await limited.call("GET", "/api/tasks")).headers["X-RateLimit-Remaining"] == "99"


async def test_reports_of_workers_have_a_rule_of_their_own(limited: World) -> None:
    server_id = await limited.register()
    task_id = await limited.create()
    beat = await limited.call("POST", f"/api/servers/{server_id}/heartbeat", limited.tokens.server(server_id), {})
    report = await limited.report(task_id, progress=1)
    assert (beat.headers[HEADERS[0]], report.headers[HEADERS[0]]) == ("6000", "6000")
    by_admin = await limited.call("POST", f"/api/servers/{server_id}/heartbeat", "admin", {})
    assert by_admin.headers[HEADERS[0]] == "100"


async def test_a_refusal_of_the_store_counts_once(limited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"Idempotency-Key": "k"}
    assert (await limited.call("POST", "/api/task", body=CREATE, headers=key)).headers[HEADERS[1]] == "49"
    reused = await limited.call("POST", "/api/task", body={**CREATE, "priority": 2}, headers=key)
    assert (reused.status_code, reused.headers[HEADERS[1]]) == (422, "48")
    past = await limited.call("POST", "/api/task", body={**CREATE, "deadline": 1})
    assert (past.status_code, past.headers[HEADERS[1]]) == (400, "47")
    monkeypatch.setattr(limited.store.tasks._s, "options", StoreOptions(tenant_max=1))
    full = await limited.call("POST", "/api/task", body=CREATE)
    assert (full.status_code, full.headers[HEADERS[1]]) == (429, "46")
    monkeypatch.setattr(limited.store.tasks._s, "options", StoreOptions(queue_max=1))
    full = await limited.call("POST", "/api/task", body=CREATE)
    assert (full.status_code, full.headers[HEADERS[1]]) == (503, "45")
    await limited.dispatch.drain(1.0)
    stopping = await limited.call("POST", "/api/task", body=CREATE)
    assert (stopping.status_code, stopping.headers[HEADERS[1]]) == (503, "44")


async def test_a_report_that_comes_too_late_carries_the_headers(limited: World) -> None:
    await limited.register()
    task_id = await limited.create()
    await limited.report(task_id, status="COMPLETED", result=1)
    late = await limited.report(task_id, status="COMPLETED", result=2)
    assert (late.status_code, late.headers[HEADERS[1]]) == (409, "5998")


async def test_public_paths_and_unknown_callers_count_nothing(limited: World) -> None:
    for path, token in (("/health", None), ("/docs", None), ("/api/tasks", "garbage"), ("/nowhere", "client-a")):
        assert HEADERS[0] not in (await limited.call("GET", path, token)).headers


async def test_limits_can_be_switched_off(world: World) -> None:
    for _ in range(60):
        answer = await world.call("POST", "/api/task", body=CREATE)
        assert (answer.status_code, HEADERS[0] in answer.headers) == (200, False)
