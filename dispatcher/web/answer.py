"""Sending an answer."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def encode_json(value: Any) -> bytes:
    """Compact JSON in UTF-8. Never NaN; text that UTF-8 cannot hold is escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    media_type = None if status == 204 else "application/json"  # without a body there is nothing to name
    return Response(body, status, {**ALWAYS, **(headers or {})}, media_type=media_type)
