import pytest
from starlette.types import Scope

from dispatcher.domain.errors import Unauthorized
from dispatcher.web.authentication import bearer_token, socket_token
from tests.web.asgi import http_scope


def test_the_token_of_the_one_header() -> None:
    for header in ("Bearer abc.d-e_f", "bearer abc.d-e_f", " Bearer   abc.d-e_f "):
        assert bearer_token(http_scope(headers=[("Authorization", header)])) == "abc.d-e_f"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Bearer a", "Bearer a"],
        ["Bearer a", "Basic b"],
        ["Basic a"],
        ["Bearer"],
        ["Bearer "],
        ["Bearer a b"],
        ["Bearer a, Bearer b"],
        ["a"],
        [""],
        ["Bearer \xe9"],
        ["Bearer " + "a" * 8193],
    ],
)
def test_anything_else_is_refused(headers: list[str]) -> None:
    with pytest.raises(Unauthorized):
        bearer_token(http_scope(headers=[("Authorization", header) for header in headers]))


@pytest.mark.parametrize("query", ["token=a", "access_token=a", "x=1&jwt=", "authorization=Bearer+a"])
def test_a_token_in_the_query_is_refused_even_beside_a_good_one(query: str) -> None:
    with pytest.raises(Unauthorized):
        bearer_token(http_scope(headers=[("Authorization", "Bearer a")], query=query))
    with pytest.raises(Unauthorized):
        socket_token(_socket(query=query))


def _socket(subprotocols: list[str] | None = None, query: str = "", header: str | None = None) -> Scope:
    headers = [("Authorization", header)] if header is not None else []
    return {**http_scope(headers=headers, query=query), "type": "websocket", "subprotocols": subprotocols or []}


def test_a_socket_brings_its_token_by_header_or_subprotocol() -> None:
    assert socket_token(_socket(header="Bearer a")) == "a"
    assert socket_token(_socket(["bearer", "a"], header="Bearer b")) == "b"
    assert socket_token(_socket(["bearer", "a"])) == "a"
    assert socket_token(_socket()) is None
    assert socket_token(_socket(["chat"])) is None


def test_a_broken_handshake_is_refused() -> None:
    for scope in (_socket(header="Basic a"), _socket(["bearer"]), _socket(["bearer", "a", "b"])):
        with pytest.raises(Unauthorized):
            socket_token(scope)
