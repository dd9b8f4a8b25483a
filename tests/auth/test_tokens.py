import base64
import json
import socket
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dispatcher.auth import SecretKeys, Tokens
from dispatcher.domain.clock import ManualClock
from dispatcher.domain.principal import Owner, Role
from tests.auth.forge import NOW_S, OLD_SECRET, SECRET, b64, claims, refused, token


def test_issued_tokens_are_accepted(tokens: Tokens) -> None:
    principal = tokens.authenticate(tokens.issue("gpu-1", ["server"], 3600, tenant="acme", server_id="server_abc"))
    assert principal.owner == Owner("acme", "gpu-1")
    assert principal.roles == {Role.SERVER}
    assert principal.serves("server_abc")
    assert (principal.issued_ms, principal.expires_ms) == (NOW_S * 1000, (NOW_S + 3600) * 1000)
    assert (principal.door, principal.registration) == ("", 0)
    issued = tokens.issue("w", ["server"], 60, server_id="worker_1", door="cloudai", registration=7)
    confined = tokens.authenticate(issued)
    assert (confined.door, confined.registration) == ("cloudai", 7)
    both = tokens.authenticate(tokens.issue("ops", ["admin", "client"], 60))
    assert both.roles == {Role.ADMIN, Role.CLIENT}
    assert (both.owner.tenant, both.server_id) == ("default", None)


def test_tokens_of_others_with_the_same_secret_are_accepted(tokens: Tokens) -> None:
    assert tokens.authenticate(token()).owner == Owner("default", "alice")
    assert tokens.authenticate(token(typ=None)).owner.sub == "alice"
    assert tokens.authenticate(token(claims(role=None, roles=["editor", "admin"]))).roles == {Role.ADMIN}
    for sub in ("alice@example.com", "auth0|5f7c8e", "a+b_c-d.e", "1" * 128):
        assert tokens.authenticate(token(claims(sub=sub))).owner.sub == sub
    external = token(claims(role="server", sid="farm:client-7@host"))
    assert tokens.authenticate(external).serves("farm:client-7@host")


@pytest.mark.parametrize(
    ("sub", "roles", "ttl_s", "tenant"),
    [
        ("", ["client"], 60, "t"),
        ("a", [], 60, "t"),
        ("a", ["root"], 60, "t"),
        ("a", ["client"], 0, "t"),
        ("a", ["client"], -5, "t"),
        ("a", ["client"], 60, "a/b"),
        ("a b", ["client"], 60, "t"),
    ],
)
def test_no_token_is_issued_that_would_be_refused(
    tokens: Tokens, sub: str, roles: list[str], ttl_s: int, tenant: str
) -> None:
    with pytest.raises(ValueError):
        tokens.issue(sub, roles, ttl_s, tenant=tenant)


@pytest.mark.parametrize(
    "alg", ["none", "None", "nOnE", "", None, "HS384", "HS512", "RS256", "ES256", "hs256", ["HS256"]]
)
def test_only_the_keys_own_algorithm(tokens: Tokens, alg: object) -> None:
    refused(tokens, token(alg=alg))
    head, payload, _ = token(alg=alg).split(".")
    refused(tokens, f"{head}.{payload}.")


def test_a_long_secret_serves_no_other_algorithm(clock: ManualClock) -> None:
    secret = SECRET + OLD_SECRET  # long enough for HS512
    tokens = Tokens(SecretKeys([secret]), clock=clock)
    tokens.authenticate(token(key=secret.encode()))
    for alg in ("HS384", "HS512"):
        refused(tokens, token(key=secret.encode(), alg=alg))


def test_no_signature_of_another_kind(tokens: Tokens) -> None:
    good = token()
    head, payload, signature = good.split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    other = b64(json.dumps(claims(sub="bob")).encode())
    for text in (
        "",
        "..",
        ".",
        "x",
        f"{head}.{payload}",
        f"{head}.{payload}.{flipped}",
        f"{head}.{other}.{signature}",
        f"{head}.{payload}.{signature}.x",
        f"{good} ",
        f" {good}",
        f"Bearer {good}",
        good.replace(".", "\u3002"),
        token(key=b"another secret that is long enough!"),
    ):
        refused(tokens, text)


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_public_key_is_no_hmac_secret(kind: str, clock: ManualClock) -> None:
    private = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    tokens = Tokens(SecretKeys([SECRET]), clock=clock)
    jwk = b'{"kty":"oct","k":"' + base64.urlsafe_b64encode(SECRET.encode()) + b'"}'
    for key in (pem, der, ssh, jwk):
        refused(tokens, token(key=key))
    for text in (pem.decode(), ssh.decode(), jwk.decode()):
        with pytest.raises(ValueError, match="key file"):
            SecretKeys([text])


@pytest.mark.parametrize(
    "kid", ["../../dev/null", "/etc/passwd", "' OR 1=1 --", "k" * 5_000, "a\x00b", "", "unknown", 7, None, ["a"], {}]
)
def test_a_kid_only_names_a_known_key(tokens: Tokens, kid: object) -> None:
    text = token() if kid is None else token(kid=kid)
    if kid is None:
        tokens.authenticate(text)
    else:
        refused(tokens, text)


def test_keys_in_the_header_are_never_fetched_or_used(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    own = b"the attacker's own key, long enough"
    jwk = {"kty": "oct", "k": b64(own), "alg": "HS256"}
    for header in (
        {"jwk": jwk},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/c"},
        {"x5c": ["MII"]},
    ):
        refused(tokens, token(key=own, **header))
        assert tokens.authenticate(token(**header)).owner.sub == "alice"


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": True},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"b64": False},
        {"b64": True},
        {"typ": "at+jwt"},
        {"typ": "secevent+jwt"},
        {"typ": 1},
        {"typ": ""},
    ],
)
def test_headers_that_are_not_understood(tokens: Tokens, header: dict[str, Any]) -> None:
    refused(tokens, token(**header))


def test_a_long_token_is_refused_unread(tokens: Tokens) -> None:
    fits = token(claims(note="x" * 5_900))
    assert len(fits) <= 8192
    tokens.authenticate(fits)
    too_long = token(claims(note="x" * 6_200))
    assert len(too_long) > 8192
    refused(tokens, too_long)
