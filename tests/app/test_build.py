"""A gateway as it is put together."""

import asyncio
from typing import Any

import httpx
import pytest

from dispatcher.app import Gateway, build
from dispatcher.app.build import make_tokens
from dispatcher.domain.errors import Unavailable
from dispatcher.domain.grant import Cancelled
from dispatcher.domain.principal import Owner, Principal, Role
from dispatcher.settings import Secrets, Settings, SettingsError
from dispatcher.store import open_store

DUTIES = ["renew", "presence", "peek", "inbox", "events", "tick"]
ANN = Principal(Owner("default", "ann"), frozenset({Role.CLIENT}))


SECRETS = Secrets(jwt_secret="q8Vx2mT7rB4nK9sW1zY6cF3hJ5dL0pGe")


def a_gateway(**sections: Any) -> Gateway:
    """One that has not been started, on a store that is not there."""
    store = open_store("redis://127.0.0.1:1", namespace="main")
    return build(Settings.model_validate(sections), SECRETS, store)


async def test_the_background_duties() -> None:
    gateway = a_gateway()
    assert gateway.runner.names == DUTIES
    await gateway.stop()


async def test_without_background_only_the_tick_is_left_to_others() -> None:
    gateway = a_gateway(triggers={"background": False})
    assert gateway.runner.names == [name for name in DUTIES if name != "tick"]
    await gateway.stop()


async def test_a_stop_lets_requests_to_cancel_go_out_before_connections_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway, order = a_gateway(), list[str]()
    tasks = gateway.services.tasks

    async def cancelled(*_: Any, **__: Any) -> Cancelled:
        return Cancelled("server_1", 1)

    async def stopped(*_: Any) -> None:
        await asyncio.sleep(0)
        order.append("the server was asked")

    async def closed() -> None:
        order.append("closed")

    monkeypatch.setattr(tasks, "_tasks", type("Store", (), {"cancel": staticmethod(cancelled)})())
    monkeypatch.setattr(tasks, "_stop", stopped)
    gateway.closing = (*gateway.closing, closed)
    await tasks.cancel(ANN, "t1", origin="native")
    await gateway.stop()
    assert order == ["the server was asked", "closed"]


@pytest.mark.parametrize(
    ("method", "path", "size", "status"),
    [
        ("PUT", "/api/task/task_x", 2_000, 400),  # read, and found to say nothing
        ("PUT", "/api/task/task_x", 2_049, 413),
        ("POST", "/api/task", 1_025, 413),
    ],
)
async def test_reports_are_bounded_like_the_answers_of_servers(method: str, path: str, size: int, status: int) -> None:
    gateway = a_gateway(server={"max_body": "1KiB"}, urls={"max_response": "2KiB"}, limits={"enabled": False})
    token = make_tokens(gateway.settings, SECRETS).issue("root", [Role.ADMIN], 60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    transport = httpx.ASGITransport(app=gateway.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
        answer = await client.request(method, path, content=b"{}".rjust(size))
    assert answer.status_code == status
    await gateway.stop()


async def test_a_stop_without_the_store_is_a_line_in_the_log_and_closes_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway, closed = a_gateway(), list[str]()

    async def close() -> None:
        closed.append("closed")

    gateway.closing = (*gateway.closing, close)
    await gateway.start()
    caplog.clear()
    await gateway.stop()
    assert closed == ["closed"]
    assert [r.message for r in caplog.records if r.name == "dispatcher.app.gateway"] == [
        "stopped without telling the other gateways: The store cannot be reached"
    ]


async def test_a_drain_lets_go_of_those_who_follow_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = a_gateway()

    async def there(*_: Any, **__: Any) -> None: ...

    monkeypatch.setattr(gateway.services.tasks, "get", there)
    (await gateway.services.logs.follow(ANN, "t1", origin="native")).close()
    await gateway.drain(0)
    with pytest.raises(Unavailable):
        await gateway.services.logs.follow(ANN, "t1", origin="native")
    await gateway.stop()


def test_a_place_of_files_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError) as refused:
        a_gateway(files={"directory": "ftp://x"})
    assert list(refused.value.problems) == ["files.directory: must be a directory or an s3:// URL"]
