"""Digests of results and requests, the same on every transport."""

import hashlib
import json


def digest_json(raw: bytes) -> str:
    """Hex digest of a JSON text in canonical form (sorted keys, compact), so that spelling does not matter.

    Raises ValueError (or RecursionError) when `raw` is no JSON.
    """
    return digest_value(json.loads(raw))


def digest_value(value: object) -> str:
    """The same digest of a value that was parsed already.

    Raises ValueError when it holds a number that JSON cannot spell (NaN, infinity).
    """
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def digest_bytes(*parts: bytes) -> str:
    """Hex digest over byte strings, each with its length."""
    h = hashlib.blake2b(digest_size=16)
    for part in parts:
        h.update(len(part).to_bytes(8, "big"))
        h.update(part)
    return h.hexdigest()
