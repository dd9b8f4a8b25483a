"""A server's place in the fleet, against a scripted gateway."""

import asyncio
import json
from typing import Any

import pytest

from dispatcher_sdk import AsyncDispatcher, Forbidden
from dispatcher_sdk.backend.membership import Membership, Profile
from dispatcher_sdk.errors import ConnectionFailed
from dispatcher_sdk.flows.steps import Request, Response

REGISTERED = {"serverId": "server_1", "message": "m", "serverToken": "own-token"}
PROFILE = Profile("gpu", {"predict": "http://server.test/predict"}, "api-key", max_concurrent=3, capabilities=["c"])


class Gateway:
    """Answers in order; what is left over at the end is answered with an empty acknowledgement."""

    def __init__(self, *answers: tuple[int, Any] | ConnectionFailed) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[str, str, str, Any]] = []
        self.keys: list[str] = []

    async def send(self, request: Request) -> Response:
        body = json.loads(request.body) if request.body else None
        self.seen.append((request.method, request.url, request.headers["Authorization"], body))
        self.keys.append(request.headers.get("Idempotency-Key", ""))
        given = self.answers.pop(0) if self.answers else (200, {"serverId": "server_1", "message": "m"})
        if isinstance(given, ConnectionFailed):
            raise given
        return Response(given[0], {}, json.dumps(given[1]).encode())

    async def close(self) -> None: ...


def member(gateway: Gateway, slept: list[float] | None = None, **options: Any) -> Membership:
    async def sleep(seconds: float) -> None:
        if slept is not None:
            slept.append(seconds)
            if len(slept) >= 5:
                raise asyncio.CancelledError

    client = AsyncDispatcher("http://gateway.test", "admin", transport=gateway, max_retries=0, sleep=sleep)
    return Membership(client, PROFILE, running=lambda: ["task_1"], figures=lambda: {"cpu": 5.0}, sleep=sleep, **options)


async def test_it_registers_with_the_admins_token_and_goes_on_with_its_own() -> None:
    gateway = Gateway((200, REGISTERED))
    membership = member(gateway)
    await membership.join()
    await membership.beat()
    await membership.drain()
    await membership.leave()
    assert [(method, url, token) for method, url, token, _ in gateway.seen] == [
        ("POST", "/api/servers", "Bearer admin"),
        ("POST", "/api/servers/server_1/heartbeat", "Bearer own-token"),
        ("POST", "/api/servers/server_1/maintenance", "Bearer own-token"),
        ("DELETE", "/api/servers/server_1", "Bearer own-token"),
    ]
    registration, heartbeat, maintenance, _ = (body for *_, body in gateway.seen)
    assert (registration["name"], registration["apiKey"], registration["maxConcurrent"]) == ("gpu", "api-key", 3)
    assert heartbeat["running"] == ["task_1"]
    assert (heartbeat["status"], heartbeat["activeTasks"], heartbeat["metrics"]) == ("healthy", 1, {"cpu": 5.0})
    assert heartbeat["bootId"]
    assert maintenance == {"maintenance": True, "reason": "shutting down"}


async def test_claims_are_made_with_its_own_token_and_only_once_it_is_registered() -> None:
    task = {"taskId": "t", "type": "t", "attempt": 1, "callbackUrl": "u", "callbackToken": "c"}
    gateway = Gateway((200, REGISTERED), (200, task), (204, None))
    membership = member(gateway)
    assert await membership.claim(5) is None
    assert gateway.seen == []
    await membership.join()
    claimed = await membership.claim(5)
    assert claimed is not None
    assert claimed.task_id == "t"
    assert gateway.seen[-1] == ("POST", "/api/servers/server_1/claim", "Bearer own-token", {"wait": 5})
    assert await membership.claim(5) is None


async def test_a_heartbeat_may_renew_the_token() -> None:
    gateway = Gateway((200, REGISTERED), (200, {"message": "m", "serverToken": "fresh"}))
    membership = member(gateway)
    await membership.join()
    await membership.beat()
    await membership.beat()
    assert gateway.seen[-1][2] == "Bearer fresh"


async def test_every_heartbeat_of_a_boot_has_the_same_boot_id_and_another_boot_another() -> None:
    gateway = Gateway((200, REGISTERED))
    membership = member(gateway)
    await membership.join()
    await membership.beat()
    await membership.beat()
    ids = {body["bootId"] for *_, body in gateway.seen[1:]}
    assert len(ids) == 1
    assert member(gateway)._boot_id not in ids


async def test_it_waits_for_a_gateway_that_is_not_up_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    slept: list[float] = []
    away = ConnectionFailed("refused", sent=False)
    gateway = Gateway(away, away, (503, {}), (200, REGISTERED))
    await member(gateway, slept).join()
    assert len(set(gateway.keys)) == 1, "or a lost answer would leave a second server"
    assert slept == [1.0, 2.0, 4.0]
    assert caplog.text.count("cannot register at http://gateway.test yet") == 3


async def test_a_refused_registration_ends_it_at_once() -> None:
    with pytest.raises(Forbidden):
        await member(Gateway((403, {"error": "Forbidden"}))).join()


@pytest.mark.parametrize("status", [404, 401])
async def test_a_server_the_gateway_has_forgotten_registers_again(status: int) -> None:
    again = {**REGISTERED, "serverId": "server_2", "serverToken": "own-2"}
    gateway = Gateway((200, REGISTERED), (status, {}), (200, again))
    membership = member(gateway)
    await membership.join()
    await membership.beat()
    await membership.beat()
    assert gateway.keys[0] == gateway.keys[2], "it is the same server still"
    assert gateway.seen[-2][:3] == ("POST", "/api/servers", "Bearer admin")
    assert gateway.seen[-1][:3] == ("POST", "/api/servers/server_2/heartbeat", "Bearer own-2")


async def test_trouble_never_stops_the_heartbeats(caplog: pytest.LogCaptureFixture) -> None:
    slept: list[float] = []
    gateway = Gateway((200, REGISTERED), ConnectionFailed("broke", sent=True), (500, {}), (404, {}), (403, {}))
    membership = member(gateway, slept)
    await membership.join()
    with pytest.raises(asyncio.CancelledError):
        await membership.beat_forever()
    assert slept == [5.0] * 5
    assert [url for _, url, *_ in gateway.seen].count("/api/servers/server_1/heartbeat") == 5
    assert "own-token" not in caplog.text


async def test_a_provisioned_server_keeps_its_registration() -> None:
    gateway = Gateway()
    membership = member(gateway, server_id="server_7")
    await membership.join()
    await membership.drain()
    await membership.leave()
    asked = [(url.removeprefix("/api/servers/server_7/"), body.get("maintenance")) for _, url, *_, body in gateway.seen]
    assert asked == [("heartbeat", None), ("maintenance", False), ("maintenance", True)], "a new start is told first"


async def test_leaving_a_gateway_that_is_away_is_no_error() -> None:
    membership = member(Gateway((200, REGISTERED), ConnectionFailed("a", sent=True), ConnectionFailed("b", sent=True)))
    await membership.join()
    await membership.drain()
    await membership.leave()


def test_the_key_stays_out_of_the_profiles_repr() -> None:
    assert "api-key" not in repr(PROFILE)
