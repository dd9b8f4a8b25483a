"""`dispatcher token`."""

import re
import time
from pathlib import Path

import pytest

from dispatcher.app.build import make_tokens
from dispatcher.domain.principal import Principal, Role
from dispatcher.settings import Secrets, Settings
from tests.cli.conftest import Invoke
from tests.support.program import SECRET


def _read(token: str) -> Principal:
    return make_tokens(Settings(), Secrets(jwt_secret=SECRET)).authenticate(token)


def test_it_prints_one_token_and_nothing_else(invoke: Invoke) -> None:
    result = invoke("token", "--sub", "ann", "--role", "client", DISPATCHER_JWT_SECRET=SECRET)
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", result.stdout)
    assert result.stderr == ""
    principal = _read(result.stdout.strip())
    assert (principal.owner.sub, principal.roles, principal.owner.tenant) == ("ann", {Role.CLIENT}, "default")
    assert 3_590 < principal.expires_ms / 1000 - time.time() <= 3_600


def test_life_tenant_and_server_are_in_it(invoke: Invoke) -> None:
    flags = ["--sub", "s", "--role", "server", "--ttl", "2d", "--server-id", "server_1", "--tenant", "acme"]
    principal = _read(invoke("token", *flags, DISPATCHER_JWT_SECRET=SECRET).stdout.strip())
    assert (principal.server_id, principal.owner.tenant) == ("server_1", "acme")
    assert principal.expires_ms - principal.issued_ms == 2 * 86_400_000


def test_in_a_development_directory_its_secret_signs(invoke: Invoke, here: Path) -> None:
    (here / ".dispatcher").mkdir()
    (here / ".dispatcher" / "jwt-secret").write_text(SECRET)
    assert _read(invoke("token", "--sub", "a", "--role", "admin").stdout.strip()).is_admin


@pytest.mark.parametrize(
    ("flags", "secret", "problem"),
    [
        (["--role", "client"], "", "no secret to sign with"),
        (["--role", "client"], "short", "DISPATCHER_JWT_SECRET: a secret needs at least 32 bytes"),
        (["--role", "client", "--ttl", "5"], SECRET, "--ttl wants a number and one of"),
        (["--role", "client", "--ttl", "0s"], SECRET, "--ttl is at least 1s"),
        (["--role", "client", "--tenant", "a/b"], SECRET, "letters, digits and . _ - only"),
        (["--role", "server"], SECRET, "--server-id goes with --role server"),
        (["--role", "client", "--server-id", "s"], SECRET, "--server-id goes with --role server"),
    ],
)
def test_what_cannot_be_signed_is_refused(invoke: Invoke, flags: list[str], secret: str, problem: str) -> None:
    result = invoke("token", "--sub", "a", *flags, DISPATCHER_JWT_SECRET=secret)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr
