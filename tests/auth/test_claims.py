"""Which claims make a principal."""

import json
from typing import Any

import pytest

from dispatcher.auth import SecretKeys, Tokens
from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import Forbidden
from tests.auth.forge import NOW_S, SECRET, claims, refused, token


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"sub": None},
        {"role": None},
        {"exp": NOW_S - 5},
        {"exp": 0},
        {"exp": -1},
        {"exp": str(NOW_S + 600)},
        {"exp": NOW_S + 600.5},
        {"exp": True},
        {"exp": 10**20},
        {"exp": [NOW_S + 600]},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"nbf": NOW_S + 6},
        {"nbf": "soon"},
        {"nbf": False},
        {"iat": NOW_S + 6},
        {"iat": NOW_S + 86_400},
        {"iat": 1.5},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a/b"},
        {"door": ""},
        {"door": "a:b"},
        {"door": ["farm"]},
        {"reg": "1"},
        {"reg": True},
        {"sub": "a:b"},
        {"sub": "{a}"},
        {"sub": "a b"},
        {"sub": "a\n"},
        {"sub": "\u00fc"},
        {"sub": "a" * 129},
        {"tid": ""},
        {"tid": "a:b"},
        {"tid": "a/b"},
        {"tid": "a@b"},
        {"tid": 1},
        {"tid": "t" * 65},
        {"sid": ""},
        {"sid": ["server_1"]},
        {"sid": "a/b"},
        {"cid": ""},
        {"cid": ["client_1"]},
        {"cid": "client_1", "sid": "server_1"},
        {"aud": "others"},
        {"aud": ["others"]},
        {"aud": 1},
    ],
    ids=str,
)
def test_claims_that_do_not_hold(tokens: Tokens, changes: dict[str, Any]) -> None:
    refused(tokens, token(claims(**changes)))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b"\xff{}",
        b"[" * 3_000,
        json.dumps(claims()).encode()[:-1] + b', "exp": 1e999}',
        b'{"exp": ' + b"9" * 5_000 + b"}",
    ],
    ids=range(9),
)
def test_payloads_that_are_no_claims(tokens: Tokens, raw: bytes) -> None:
    refused(tokens, token(raw))


def test_a_token_may_be_bound_to_a_client_of_the_farm(tokens: Tokens) -> None:
    assert tokens.authenticate(token(claims(role="server", cid="client_1"))).server_id == "farm:client_1"


def test_clocks_may_differ_by_the_leeway(tokens: Tokens) -> None:
    tokens.authenticate(token(claims(exp=NOW_S - 4)))
    tokens.authenticate(token(claims(nbf=NOW_S + 5, iat=NOW_S + 5)))


@pytest.mark.parametrize(
    "changes",
    [
        {"role": ["admin"]},
        {"role": "ADMIN"},
        {"role": "admin "},
        {"role": "root"},
        {"role": ""},
        {"role": 1},
        {"role": {"admin": True}},
        {"role": None, "roles": "admin"},
        {"role": None, "roles": []},
        {"role": None, "roles": ["ADMIN", ["admin"], None]},
        {"role": None, "roles": {"admin": 1}},
    ],
    ids=str,
)
def test_no_known_role_is_forbidden(tokens: Tokens, changes: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        tokens.authenticate(token(claims(**changes)))
    refused(tokens, token(claims(**changes, exp=NOW_S - 60)))


def test_issuer_and_audience(clock: ManualClock) -> None:
    strict = Tokens(SecretKeys([SECRET]), issuer="https://id.example/", audience="dispatcher", clock=clock)
    good = claims(iss="https://id.example/", aud="dispatcher")
    strict.authenticate(token(good))
    strict.authenticate(token(good | {"aud": ["x", "dispatcher"]}))
    strict.authenticate(strict.issue("a", ["client"], 60))
    wrong: list[dict[str, Any]] = [
        {"iss": None},
        {"iss": "https://id.example"},
        {"iss": "https://id.example/x"},
        {"iss": ["https://id.example/"]},
        {"aud": None},
        {"aud": "dispatch"},
        {"aud": "dispatcher2"},
        {"aud": ["x"]},
        {"aud": []},
        {"aud": {"dispatcher": 1}},
    ]
    for changes in wrong:
        refused(strict, token(claims(**(good | changes))))
