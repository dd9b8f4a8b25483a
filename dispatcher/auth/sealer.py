"""API keys of servers, encrypted at rest.

    <version 1 byte> <key id 4 bytes> <nonce 12 bytes> <AES-256-GCM ciphertext and tag>

The server's id is authenticated with it: a ciphertext that was moved to another server does not open.
"""

import secrets
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dispatcher.auth.secret import check_secret, derive_key

_VERSION = b"\x01"
_ID_BYTES = 4
_NONCE_BYTES = 12
_HEAD_BYTES = len(_VERSION) + _ID_BYTES + _NONCE_BYTES


class CannotOpen(ValueError):
    """Sealed with a key that is not known here, for another server, or damaged."""


class Sealer:
    """Seals with the first key, opens with all of them: to rotate, put the new one in front.

    The AES keys are derived from the given ones, so that a JWT secret can serve until there is a key of its own.
    """

    def __init__(self, keys: Sequence[str], *, entropy: Callable[[int], bytes] = secrets.token_bytes) -> None:
        """Raises ValueError for a weak key, or none."""
        if not keys:
            raise ValueError("at least one key is needed")
        for key in keys:
            check_secret(key)
        self._entropy = entropy
        self._ciphers = {derive_key(key, "seal-id", _ID_BYTES): AESGCM(derive_key(key, "seal")) for key in keys}
        self._first = next(iter(self._ciphers))

    def seal(self, server_id: str, key: str) -> bytes:
        head = _VERSION + self._first + self._entropy(_NONCE_BYTES)
        return head + self._ciphers[self._first].encrypt(
            head[-_NONCE_BYTES:], key.encode(), _associated(head, server_id)
        )

    def open(self, server_id: str, sealed: bytes) -> str:
        """Raises CannotOpen."""
        head = sealed[:_HEAD_BYTES]
        cipher = self._ciphers.get(head[len(_VERSION) : len(_VERSION) + _ID_BYTES])
        if cipher is None or head[:1] != _VERSION:
            raise CannotOpen("the sealed key was made with a key that is not known here")
        try:
            opened = cipher.decrypt(head[-_NONCE_BYTES:], sealed[_HEAD_BYTES:], _associated(head, server_id))
        except (InvalidTag, ValueError):
            raise CannotOpen("the sealed key is damaged, or belongs to another server") from None
        return opened.decode()


def _associated(head: bytes, server_id: str) -> bytes:
    return head[:-_NONCE_BYTES] + server_id.encode()
