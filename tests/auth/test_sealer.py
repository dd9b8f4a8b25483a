import pytest

from dispatcher.auth import CannotOpen, Sealer
from tests.auth.forge import OLD_SECRET, SECRET

SEALER = Sealer([SECRET])
SEALED = SEALER.seal("server_a", "sk-canary-ü")


def test_round_trip() -> None:
    assert SEALER.open("server_a", SEALED) == "sk-canary-ü"
    assert Sealer([SECRET]).open("server_a", SEALED) == "sk-canary-ü"
    assert SEALER.open("server_a", SEALER.seal("server_a", "")) == ""


def test_nothing_of_the_key_shows() -> None:
    assert b"canary" not in SEALED
    assert SEALER.seal("server_a", "sk-canary-ü") != SEALED  # a fresh nonce each time
    assert SECRET not in repr(SEALER)


def test_a_ciphertext_moved_to_another_server_does_not_open() -> None:
    for server_id in ("server_b", "", "server_a "):
        with pytest.raises(CannotOpen):
            SEALER.open(server_id, SEALED)


def test_a_damaged_ciphertext_does_not_open() -> None:
    for position in range(len(SEALED)):
        damaged = SEALED[:position] + bytes([SEALED[position] ^ 1]) + SEALED[position + 1 :]
        with pytest.raises(CannotOpen):
            SEALER.open("server_a", damaged)
    for length in range(len(SEALED)):
        with pytest.raises(CannotOpen):
            SEALER.open("server_a", SEALED[:length])


def test_rotation() -> None:
    both = Sealer([OLD_SECRET, SECRET])
    assert both.open("server_a", SEALED) == "sk-canary-ü"
    again = both.seal("server_a", "sk-canary-ü")
    assert Sealer([OLD_SECRET]).open("server_a", again) == "sk-canary-ü"
    with pytest.raises(CannotOpen, match="not known here"):
        SEALER.open("server_a", again)
