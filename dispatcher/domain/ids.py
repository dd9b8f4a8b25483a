"""Identifiers made by the gateway: a prefix and 128 random bits in lower-case base32 (26 characters).

An id is made before the store is asked, so that a lost reply can be replayed with the same id.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME = re.compile(r"[^\s/\\?#%]{1,128}")
_CORE = re.compile(r"server_[a-z2-7]{26}|(worker|client|executor)_[0-9a-f]{32}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _random(entropy: Callable[[int], bytes]) -> str:
    return base64.b32encode(entropy(16)).decode("ascii").rstrip("=").lower()


def new_task_id(entropy: Callable[[int], bytes] = secrets.token_bytes) -> str:
    return "task_" + _random(entropy)


def new_server_id(entropy: Callable[[int], bytes] = secrets.token_bytes) -> str:
    return "server_" + _random(entropy)


def new_claim_id(entropy: Callable[[int], bytes] = secrets.token_bytes) -> str:
    return "c_" + _random(entropy)


def new_operation_id(entropy: Callable[[int], bytes] = secrets.token_bytes) -> str:
    return "op_" + _random(entropy)


def new_nonce(entropy: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """The random part of a callback token: one per attempt."""
    return _random(entropy)


def new_file_id(entropy: Callable[[int], bytes] = secrets.token_bytes) -> str:
    return "file_" + _random(entropy)


def new_blob_id(entropy: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Where the bytes of a file are stored: says nothing of the file."""
    return _random(entropy)


def worker_id(prefix: str, tenant: str, dialect: str, name: str) -> str:
    """The core id of a worker that names itself: the same for the same worker, over all gateways; those of two tenants
    or two dialects never meet."""
    return prefix + hashlib.blake2b(f"{tenant}\0{dialect}\0{name}".encode(), digest_size=16).hexdigest()


WORKER_NAME = "1 to 128 printable characters without spaces and / \\ ? # %, not . or .., no id of the gateway's own"


def is_worker_name(text: str) -> bool:
    """True for what a worker may call itself, see `WORKER_NAME`: one part of a path can hold it, and nobody takes it
    for a core id."""
    plain = _NAME.fullmatch(text) is not None and text.isprintable() and text not in (".", "..")
    return plain and _CORE.fullmatch(text) is None


def as_uuid(text: str) -> str | None:
    """A UUID as the store spells it, None for a text that is none."""
    lower = text.lower()
    return lower if _UUID.fullmatch(lower) else None


def is_id(text: str) -> bool:
    """True for a text that may name a task or a server; anything else cannot exist in the store."""
    return _ID.fullmatch(text) is not None
