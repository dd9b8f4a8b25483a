"""`python -m dispatcher_sdk`: which gateway, who am I there, does it answer. Exits 1 when it does not."""

import base64
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from dispatcher_sdk import _json
from dispatcher_sdk.client import DEFAULT_URL
from dispatcher_sdk.errors import DispatcherError
from dispatcher_sdk.flows.steps import Request
from dispatcher_sdk.transports import HttpTransport, Transport


def main(environment: Mapping[str, str], out: TextIO, transport: Transport | None = None) -> int:
    """Print the report; returns the exit status."""
    url = environment.get("DISPATCHER_URL") or DEFAULT_URL
    out.write(f"gateway  {url}\n")
    out.write(f"token    {describe(environment.get('DISPATCHER_TOKEN'))}\n")
    transport = transport or HttpTransport(url)
    try:
        status = transport.send(Request("GET", "/health", timeout=5.0)).status
    except DispatcherError as error:
        out.write(f"answers  no: {error}\n")
        return 1
    finally:
        transport.close()
    out.write(f"answers  yes, /health says {status}\n")
    return 0


def describe(token: str | None) -> str:
    """Subject, role and expiry that a token claims. The signature is not checked: that is the gateway's business."""
    if not token:
        return "none; set DISPATCHER_TOKEN"
    claims = _claims(token)
    if claims is None:
        return "not a JWT"
    role = claims.get("role") or ", ".join(map(str, claims.get("roles") or ["no role"]))
    text = f"{claims.get('sub', 'no subject')} ({role})"
    if isinstance(expiry := claims.get("exp"), int | float):
        text += f", expires {datetime.fromtimestamp(expiry, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return text


def _claims(token: str) -> dict[str, Any] | None:
    """The payload of a JWT (RFC 7519, section 3), None when it is none."""
    try:
        _, payload, _ = token.split(".")
        claims = _json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


if __name__ == "__main__":
    sys.exit(main(os.environ, sys.stdout))
