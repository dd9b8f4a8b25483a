"""Both servers, on real sockets, stopped by real signals."""

import http.client
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from dispatcher.launch import Listen, Options, PortInUse, launch
from dispatcher.launch.launcher import engine_named
from tests.launch.conftest import Served
from tests.launch.program import Gateway

ENGINES = ("hypercorn", "granian")
Serve = Callable[..., Served]
pytestmark = pytest.mark.e2e


@contextmanager
def _open(served: Served, path: str, port: int = 0) -> Iterator[http.client.HTTPResponse]:
    with closing(http.client.HTTPConnection("127.0.0.1", served.ports[port], timeout=10)) as connection:
        connection.request("GET", path)
        with closing(connection.getresponse()) as response:
            yield response


def _get(served: Served, path: str, port: int = 0) -> bytes:
    with _open(served, path, port) as response:
        return response.read()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_listener_answers(serve: Serve, engine: str) -> None:
    served = serve(engine)
    assert [_get(served, "/", port) for port in (0, 1)] == [b"hello\n", b"hello\n"]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_signal_ends_open_streams_and_sockets(serve: Serve, engine: str, stop: signal.Signals) -> None:
    served = serve(engine)
    with _open(served, "/stream") as stream, connect(f"ws://{served.url}/") as ws:
        assert stream.read(6) == b"hello\n"
        ws.send("?")
        assert ws.recv(5) == "again"
        began = time.monotonic()
        served.process.send_signal(stop)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(5)
        assert stream.read() == b"", "the stream ends in order, not by a broken connection"
    assert served.process.wait(10) == 0
    assert time.monotonic() - began < 4
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert served.out.read().splitlines() == ["begin_drain", "drain 3.75", "stopped"]


def test_who_does_not_answer_a_close_is_cut_off_without_a_word(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    served = serve("hypercorn")
    with socket.create_connection(("127.0.0.1", served.ports[0])) as silent:
        key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13"
        silent.send(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{key}\r\n\r\n".encode())
        assert b" 101 " in silent.recv(1024)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(10) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_an_open_request_gets_its_answer(serve: Serve, engine: str) -> None:
    served = serve(engine)
    answers: list[bytes] = []
    caller = threading.Thread(target=lambda: answers.append(_get(served, "/slow")))
    caller.start()
    assert served.out.readline() == "slow\n"
    served.process.send_signal(signal.SIGTERM)
    caller.join(10)
    assert answers == [b"hello\n"]
    assert served.process.wait(10) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_who_waits_when_the_time_is_up_is_answered_with_what_there_is(serve: Serve, engine: str) -> None:
    served = serve(engine, timeout=0.3)
    answers: list[bytes] = []
    caller = threading.Thread(target=lambda: answers.append(_get(served, "/waits")))
    caller.start()
    assert served.out.readline() == "waits\n"
    served.process.send_signal(signal.SIGTERM)
    caller.join(10)
    assert answers == [b"hello\n"]
    assert served.process.wait(10) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_during_the_delay_requests_are_still_served(serve: Serve, engine: str) -> None:
    served = serve(engine, delay=0.5)
    served.process.send_signal(signal.SIGTERM)
    assert served.out.readline() == "begin_drain\n"
    assert _get(served, "/") == b"hello\n"
    assert served.process.wait(10) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_drain_that_hangs_is_cut_off(serve: Serve, engine: str) -> None:
    served = serve(engine, timeout=0.3, drain="hangs")
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(5) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_second_signal_ends_within_a_second(serve: Serve, engine: str) -> None:
    served = serve(engine, timeout=60, drain="hangs")
    with _open(served, "/stream"):
        served.process.send_signal(signal.SIGINT)
        assert served.out.readline() == "begin_drain\n"
        began = time.monotonic()
        served.process.send_signal(signal.SIGINT)
        served.process.wait(5)
        assert time.monotonic() - began < 1.3


def test_hypercorn_negotiates_no_compression(serve: Serve) -> None:
    with connect(f"ws://{serve('hypercorn').url}/", compression="deflate") as ws:
        assert ws.response is not None
        assert "Sec-WebSocket-Extensions" not in ws.response.headers


def test_hypercorn_pings_open_sockets(serve: Serve) -> None:
    served = serve("hypercorn")
    with socket.create_connection(("127.0.0.1", served.ports[0]), timeout=5) as raw:
        raw.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        received = b""
        while received.count(b"\x89\x00") < 2:  # unmasked ping frames without data
            received += raw.recv(4096)


async def test_a_port_in_use_is_named() -> None:
    async def ready(addresses: list[tuple[str, int]]) -> None:
        raise AssertionError("must not be served")

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listens = [Listen(Gateway(""), port=0), Listen(Gateway(""), port=port)]
        with pytest.raises(PortInUse, match=rf"127\.0\.0\.1:{port}: Address already in use"):
            await launch(listens, Gateway(""), Options(), on_ready=ready)


def test_auto_takes_granian_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine_named("auto") == "granian"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert engine_named("auto") == "hypercorn"
    assert engine_named("granian") == "granian"
