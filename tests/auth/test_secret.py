import secrets

import pytest

from dispatcher.auth import CallbackTokens, Sealer, SecretKeys, check_secret
from dispatcher.auth.secret import derive_key
from tests.auth.forge import OLD_SECRET, SECRET


@pytest.mark.parametrize("size", [24, 32, 48])
def test_random_secrets_are_accepted(size: int) -> None:
    for _ in range(200):
        check_secret(secrets.token_hex(size))
        check_secret(secrets.token_urlsafe(size))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "short",
        SECRET[:31],
        "a" * 64,
        "0123" * 16,
        "your-256-bit-secret-your-256-bit-secret",
        "a-string-secret-at-least-256-bits-long",
        "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
        "changeme-changeme-changeme-please-42",
        "My Super Secret Key For Signing Tokens 1",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "django-insecure-4w!kz9@x7p$1v&8m#q2r5t6y",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
        "  -----BEGIN RSA PRIVATE KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq2Zx8 me@host",
        '{"kty":"oct","k":"vD0q7mXw2ZkS9fT4bLr6NyHc1JgUe8Pa"}',
    ],
)
def test_weak_secrets_stop_everything_that_is_made_of_them(secret: str) -> None:
    for use in (check_secret, lambda s: SecretKeys([SECRET, s]), lambda s: CallbackTokens([s]), lambda s: Sealer([s])):
        with pytest.raises(ValueError) as caught:
            use(secret)
        assert not secret or secret not in str(caught.value)


def test_none_at_all() -> None:
    for use in (SecretKeys, CallbackTokens, Sealer):
        with pytest.raises(ValueError, match="at least one"):
            use([])


def test_every_purpose_has_its_own_key() -> None:
    keys = {derive_key(secret, purpose) for secret in (SECRET, OLD_SECRET) for purpose in ("seal", "callback-token")}
    assert len(keys) == 4
    assert derive_key(SECRET, "seal") == derive_key(SECRET, "seal")
