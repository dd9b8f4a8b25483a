import asyncio
import ipaddress
import socket
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Awaitable, Callable

import pytest

from dispatcher.domain.errors import Invalid
from dispatcher.forward import UrlPolicy
from dispatcher.forward.networks import Reach, reach_of
from dispatcher.forward.policy import Refused
from dispatcher.forward.transport import NotSent
from tests.forward.conftest import MakeTransport
from tests.forward.hostile import URLS
from tests.forward.servers import answer, serving

PUBLIC_ONLY = UrlPolicy(allow_private=False)


def resolving(*answers: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    """A DNS that gives these answers in turn."""
    asked = 0

    async def resolve(host: str, port: int) -> list[str]:
        nonlocal asked
        asked += 1
        return answers[(asked - 1) % len(answers)]

    return resolve


async def call(make_transport: MakeTransport, policy: UrlPolicy, url: str) -> bytes:
    reply = await make_transport(policy).request("POST", url, {}, b"{}", timeout_s=2, max_bytes=100)
    return reply.body


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every address that this event loop tries to connect to."""
    tried: list[object] = []
    connect = BaseSelectorEventLoop.sock_connect

    async def recorded(self: BaseSelectorEventLoop, sock: socket.socket, address: tuple[str, int]) -> None:
        tried.append(address)
        await connect(self, sock, address)

    monkeypatch.setattr(BaseSelectorEventLoop, "sock_connect", recorded)
    return tried


def test_there_are_enough_hostile_urls() -> None:
    assert len(set(URLS)) >= 150


@pytest.mark.parametrize("url", URLS)
def test_hostile_urls_are_refused_at_registration(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        PUBLIC_ONLY.check_url(url.format(port=8080), "endpoints.predict")
    assert caught.value.field == "endpoints.predict"
    assert "127.0.0.1" not in caught.value.message


async def test_hostile_urls_open_no_socket(make_transport: MakeTransport, connects: list[object]) -> None:
    transport = make_transport(PUBLIC_ONLY)
    async with serving() as canary, serving(host="::1") as canary6:
        for url in URLS:
            for port in (canary.port, canary6.port):
                with pytest.raises((NotSent, ValueError)):
                    await transport.request("POST", url.format(port=port), {}, b"", timeout_s=2, max_bytes=100)
    assert connects == []
    assert canary.connections == canary6.connections == 0


async def test_the_canary_works(make_transport: MakeTransport, connects: list[object]) -> None:
    """Without the policy's refusal the same call arrives."""
    async with serving(answer(200, b"{}")) as canary:
        await call(make_transport, UrlPolicy(allow_loopback=True), canary.url())
        await call(make_transport, UrlPolicy(allow_loopback=True), canary.url(host="localhost"))
    assert ("127.0.0.1", canary.port) in connects
    assert canary.connections >= 1


async def test_alternating_dns_answers_never_reach_the_inside(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b"{}", close=True)) as canary:
        outside = await asyncio.start_server(_respond, "127.0.0.2", canary.port)
        async with outside:
            policy = UrlPolicy(
                allow_private=False,
                allow_hosts=frozenset({"127.0.0.2/32"}),
                resolver=resolving(["127.0.0.2"], ["127.0.0.1"]),
            )
            url = canary.url(host="rebind.example")
            transport = make_transport(policy)
            reached = refused = 0
            for _ in range(200):
                policy.check_url(url)
                try:
                    await transport.request("POST", url, {}, b"", timeout_s=2, max_bytes=100)
                    reached += 1
                except NotSent:
                    refused += 1
    assert (reached, refused, canary.connections) == (100, 100, 0)


async def _respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    writer.close()


async def test_one_bad_address_among_several_is_enough(make_transport: MakeTransport, connects: list[object]) -> None:
    policy = UrlPolicy(allow_private=False, resolver=resolving(["93.184.216.34", "2606:2800::1", "10.0.0.5"]))
    with pytest.raises(NotSent):
        await call(make_transport, policy, "http://mixed.example/")
    assert connects == []


async def test_a_name_is_resolved_once_and_kept_in_the_host_header(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b"{}")) as server:
        policy = UrlPolicy(allow_loopback=True, resolver=resolving(["127.0.0.1"], ["169.254.169.254"]))
        assert await call(make_transport, policy, server.url(host="GPU-1.example")) == b"{}"
    assert server.requests[0].headers["host"] == f"gpu-1.example:{server.port}"


async def test_the_next_address_is_tried_when_one_refuses(make_transport: MakeTransport) -> None:
    async with serving(answer(200, b"{}")) as server:
        policy = UrlPolicy(allow_loopback=True, resolver=resolving(["127.0.0.9", "127.0.0.1"]))
        assert await call(make_transport, policy, server.url(host="gpu-1.example")) == b"{}"


@pytest.mark.parametrize(
    ("policy", "host", "allowed"),
    [
        (UrlPolicy(), "10.1.2.3", True),
        (UrlPolicy(), "[fd12::1]", True),
        (UrlPolicy(), "[64:ff9b::a01:203]", True),
        (UrlPolicy(), "127.0.0.1", False),
        (UrlPolicy(), "169.254.169.254", False),
        (UrlPolicy(allow_loopback=True), "localhost", True),
        (UrlPolicy(allow_loopback=True), "[::1]", True),
        (UrlPolicy(allow_loopback=True), "169.254.1.1", False),
        (PUBLIC_ONLY, "93.184.216.34", True),
        (PUBLIC_ONLY, "[2606:2800::1]", True),
        (PUBLIC_ONLY, "gpu_1.my-host.example", True),
        (PUBLIC_ONLY, "100.64.0.1", False),
        (UrlPolicy(allow_private=False, allow_hosts=frozenset({"10.8.0.0/16"})), "10.8.0.7", True),
        (UrlPolicy(allow_private=False, allow_hosts=frozenset({"10.8.0.0/16"})), "10.9.0.7", False),
        (UrlPolicy(allow_hosts=frozenset({"LocalHost"})), "localhost", True),
        (UrlPolicy(allow_hosts=frozenset({"*.localhost"})), "gpu.localhost", True),
        (UrlPolicy(allow_hosts=frozenset({"*.localhost"})), "localhost", False),
        (UrlPolicy(allow_hosts=frozenset({"169.254.0.0/16", "metadata"})), "169.254.169.254", False),
        (UrlPolicy(allow_hosts=frozenset({"169.254.0.0/16", "metadata"})), "metadata", False),
    ],
)
def test_what_each_setting_allows(policy: UrlPolicy, host: str, allowed: bool) -> None:
    try:
        policy.check_url(f"https://{host}/predict")
    except Invalid:
        assert not allowed
    else:
        assert allowed


@pytest.mark.parametrize("entry", ["10.8.0.1/16", "10.8.0.0/33", "gpu/1"])
def test_a_network_with_a_slip_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match="no network"):
        UrlPolicy(allow_hosts=frozenset({entry}))


@pytest.mark.parametrize(
    ("listed", "allowed"), [("gpu-1.internal", True), ("*.internal", True), ("gpu-2.internal", False)]
)
async def test_a_listed_name_may_resolve_to_a_private_address(listed: str, allowed: bool) -> None:
    policy = UrlPolicy(allow_private=False, allow_hosts=frozenset({listed}), resolver=resolving(["10.0.0.1"]))
    if allowed:
        assert await policy.addresses("gpu-1.internal", 80) == ("10.0.0.1",)
    else:
        with pytest.raises(Refused):
            await policy.addresses("gpu-1.internal", 80)


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("8.8.8.8", Reach.PUBLIC),
        ("::ffff:8.8.8.8", Reach.PUBLIC),
        ("64:ff9b::808:808", Reach.PUBLIC),
        ("172.31.255.255", Reach.PRIVATE),
        ("172.32.0.0", Reach.PUBLIC),
        ("2002:7f00:1::", Reach.LOOPBACK),
        ("2002:a9fe:a9fe::", Reach.FORBIDDEN),
        ("64:ff9b::a9fe:a9fe", Reach.FORBIDDEN),
        ("::127.0.0.1", Reach.LOOPBACK),
        ("224.0.0.1", Reach.FORBIDDEN),
        ("192.0.0.9", Reach.FORBIDDEN),
    ],
)
def test_reach(address: str, reach: Reach) -> None:
    assert reach_of(ipaddress.ip_address(address)) is reach
