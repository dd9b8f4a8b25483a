"""Tokens as an attacker, or a careless issuer, would make them."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from dispatcher.auth import Tokens
from dispatcher.domain.errors import Unauthorized

NOW_S = 1_700_000_000
SECRET = "vD0q7mXw2ZkS9fT4bLr6NyHc1JgUe8Pa"
OLD_SECRET = "oQ5xRn3Wt8Kz1VbYd7Lf9MsGh2CjEu6P"
CLAIMS: dict[str, Any] = {"sub": "alice", "role": "client", "exp": NOW_S + 600}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(
    claims: dict[str, Any] | bytes = CLAIMS, key: bytes = SECRET.encode(), alg: object = "HS256", **header: Any
) -> str:
    """Signed with HMAC over whatever is given; header members of value None are left out."""
    head = {"typ": "JWT", "alg": alg} | header
    raw = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signing = b64(json.dumps({k: v for k, v in head.items() if v is not None}).encode()) + "." + b64(raw)
    digest = {"HS384": "sha384", "HS512": "sha512"}.get(str(alg), "sha256")
    return signing + "." + b64(hmac.new(key, signing.encode(), getattr(hashlib, digest)).digest())


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims with changes; those of value None are left out."""
    return {k: v for k, v in (CLAIMS | changes).items() if v is not None}


def refused(tokens: Tokens, text: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        tokens.authenticate(text)
    assert caught.value.message == "Invalid or expired token"
    assert caught.value.__cause__ is None
