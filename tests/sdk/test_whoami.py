"""`python -m dispatcher_sdk`"""

import base64
import io
import json

from dispatcher_sdk.__main__ import describe, main
from dispatcher_sdk.errors import ConnectionFailed
from dispatcher_sdk.flows.steps import Request, Response


class Fixed:
    """A transport with one answer."""

    def __init__(self, answer: Response | ConnectionFailed) -> None:
        self.answer = answer
        self.closed = False

    def send(self, request: Request) -> Response:
        assert request.url == "/health"
        if isinstance(self.answer, ConnectionFailed):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.closed = True


def jwt(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.sig"


def test_it_tells_gateway_token_and_reachability() -> None:
    out, transport = io.StringIO(), Fixed(Response(200))
    token = jwt({"sub": "alice", "role": "client", "exp": 1704556800})
    status = main({"DISPATCHER_URL": "http://gateway.test", "DISPATCHER_TOKEN": token}, out, transport)
    assert status == 0
    assert out.getvalue().splitlines() == [
        "gateway  http://gateway.test",
        "token    alice (client), expires 2024-01-06 16:00:00 UTC",
        "answers  yes, /health says 200",
    ]
    assert transport.closed
    assert token not in out.getvalue()


def test_a_gateway_that_is_away_is_an_exit_status() -> None:
    out = io.StringIO()
    assert main({}, out, Fixed(ConnectionFailed("refused", sent=False))) == 1
    assert "no: refused" in out.getvalue()
    assert "http://127.0.0.1:8787" in out.getvalue()


def test_tokens_of_every_kind_are_described() -> None:
    assert describe(None) == "none; set DISPATCHER_TOKEN"
    assert describe("opaque") == "not a JWT"
    assert describe("a.b!.c") == "not a JWT"
    assert describe("a.W10.c") == "not a JWT"
    assert describe(jwt({"sub": "s", "roles": ["client", "admin"]})) == "s (client, admin)"
    assert describe(jwt({})) == "no subject (no role)"
