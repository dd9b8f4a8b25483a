"""Where secrets come from, and which are refused."""

from pathlib import Path

import pytest

from dispatcher.auth.secret import check_secret
from dispatcher.settings import Secrets, SettingsError, read_secrets, require_production

STRONG = "q8Vx2mT7rB4nK9sW1zY6cF3hJ5dL0pGe"


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(STRONG + "\n")
    environ = {"DISPATCHER_JWT_SECRET_FILE": str(tmp_path / "key"), "DISPATCHER_REDIS_URL": "redis://r"}
    assert read_secrets(environ) == Secrets(jwt_secret=STRONG, redis_url="redis://r")


def test_a_secret_has_one_source(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(STRONG)
    with pytest.raises(SettingsError, match="both set"):
        read_secrets({"DISPATCHER_JWT_SECRET": STRONG, "DISPATCHER_JWT_SECRET_FILE": str(tmp_path / "key")})
    with pytest.raises(SettingsError, match=r"DISPATCHER_JWT_SECRET_FILE: .*No such file"):
        read_secrets({"DISPATCHER_JWT_SECRET_FILE": str(tmp_path / "none")})


def test_secrets_are_not_shown() -> None:
    assert STRONG not in repr(Secrets(jwt_secret=STRONG, redis_url=f"redis://:{STRONG}@r", encryption_key=STRONG))


def test_a_complete_set_is_accepted() -> None:
    require_production(Secrets(jwt_secret=STRONG, redis_url="redis://r"), check_secret)


@pytest.mark.parametrize(
    ("secrets", "problem"),
    [
        (Secrets(jwt_secret=STRONG), "DISPATCHER_REDIS_URL .* is not set"),
        (Secrets(redis_url="r"), "DISPATCHER_JWT_SECRET .* is not set"),
        (Secrets(jwt_secret=STRONG[:31], redis_url="r"), "DISPATCHER_JWT_SECRET: a secret needs at least 32 bytes"),
        (Secrets(jwt_secret="ab" * 20, redis_url="r"), "DISPATCHER_JWT_SECRET: a secret of so few different"),
        (
            Secrets(jwt_secret="your-secret-key-change-in-production!!", redis_url="r"),
            "a secret like those",
        ),
        (
            Secrets(jwt_secret=STRONG, jwt_secret_previous="short", redis_url="r"),
            "DISPATCHER_JWT_SECRET_PREVIOUS: a secret needs",
        ),
        (
            Secrets(jwt_secret=STRONG, encryption_key="short", redis_url="r"),
            "DISPATCHER_ENCRYPTION_KEY: a secret",
        ),
    ],
)
def test_production_refuses_missing_and_weak_secrets(secrets: Secrets, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as caught:
        require_production(secrets, check_secret)
    assert secrets.jwt_secret == "" or secrets.jwt_secret not in str(caught.value)
