"""Callback tokens: the right to report on one attempt of one task, and nothing else.

    cb_<fence>.<nonce>.<HMAC-SHA256 over task id, fence and nonce, base64url>

Every gateway can check one without a look at the store; whether the attempt is still the current one, the store says.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence

from dispatcher.auth.claims import unauthorized
from dispatcher.auth.secret import check_secret, derive_key
from dispatcher.domain.reporter import ByAttempt

PREFIX = "cb_"
_TOKEN = re.compile(r"cb_([1-9][0-9]{0,15})\.([A-Za-z0-9_-]{1,64})\.[A-Za-z0-9_-]{43}")


class CallbackTokens:
    """Made with the first secret, read with all of them."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Raises ValueError for a weak secret, or none."""
        if not secrets:
            raise ValueError("at least one secret is needed")
        for secret in secrets:
            check_secret(secret)
        self._keys = [derive_key(secret, "callback-token") for secret in secrets]

    def make(self, task_id: str, fence: int, nonce: str) -> str:
        return _token(self._keys[0], task_id, fence, nonce)

    def read(self, task_id: str, token: str) -> ByAttempt:
        """The attempt that a token speaks for. Raises Unauthorized when it was not made by us for this task."""
        match = _TOKEN.fullmatch(token)
        if match is not None:
            fence, nonce = int(match[1]), match[2]
            for key in self._keys:
                if hmac.compare_digest(_token(key, task_id, fence, nonce), token):
                    return ByAttempt(fence, nonce)
        raise unauthorized()


def is_callback_token(text: str) -> bool:
    """Tells a callback token from a JWT, which never begins like that."""
    return text.startswith(PREFIX)


def _token(key: bytes, task_id: str, fence: int, nonce: str) -> str:
    # the id goes in as its digest, so that no id can be read as another one with a part of the rest
    message = hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).digest() + f"{fence}.{nonce}".encode()
    mac = hmac.digest(key, message, "sha256")
    return f"{PREFIX}{fence}.{nonce}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
