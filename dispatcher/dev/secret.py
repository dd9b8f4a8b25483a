"""Secrets of a development state directory: made once, readable by their owner only."""

import os
import secrets
from pathlib import Path


def development_secret(state_dir: Path) -> str:
    """The directory's own signing secret (384 random bits), made at the first call."""
    path = state_dir / "jwt-secret"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))
    return path.read_text()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, also when it was there before with other rights."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
