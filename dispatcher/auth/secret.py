"""What makes a secret, and the keys that are made from one."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIN_SECRET_BYTES = 32  # RFC 7518, 3.2: an HS256 key has at least the size of the hash
_MIN_DISTINCT = 10

# Parts of secrets that documentation prints or people make up; compared without case, "-", "_" and spaces.
_EXAMPLES = (
    "256bitsecret",
    "stringsecretatleast",
    "09d25e094faa6ca2556c818166b7a956",
    "changeme",
    "changethis",
    "replaceme",
    "supersecret",
    "secretkey",
    "mysecret",
    "yoursecret",
    "jwtsecret",
    "djangoinsecure",
    "password",
    "123456789",
    "abcdefghij",
    "deadbeef",
)
_KEY_FILES = ("-----BEGIN", "ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-", '"kty"')


def check_secret(secret: str) -> None:
    """Refuse a secret that somebody could guess or already knows.

    Raises ValueError, without the secret in its text: under 32 bytes, too few different characters, a known example,
    or the text of a key file (a public key used as an HMAC secret is known to everybody).
    """
    advice = "make one with: openssl rand -base64 48"
    if len(secret.encode("utf-8", "surrogatepass")) < MIN_SECRET_BYTES:
        raise ValueError(f"a secret needs at least {MIN_SECRET_BYTES} bytes; {advice}")
    if any(mark in secret for mark in _KEY_FILES):
        raise ValueError(f"the text of a key file is no secret; {advice}")
    if len(set(secret)) < _MIN_DISTINCT:
        raise ValueError(f"a secret of so few different characters can be guessed; {advice}")
    plain = secret.casefold().translate({ord(c): None for c in "-_ "})
    if any(example in plain for example in _EXAMPLES):
        raise ValueError(f"a secret like those in documentation is known to everybody; {advice}")


def derive_key(secret: str, purpose: str, length: int = 32) -> bytes:
    """A key of `length` bytes for one purpose (HKDF-SHA256, RFC 5869): keys of different purposes tell nothing of
    each other, nor of the secret."""
    return HKDF(SHA256(), length, salt=b"edge-dispatcher", info=purpose.encode()).derive(secret.encode())
