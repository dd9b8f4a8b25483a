"""Weights on disk, one file an epoch: complete or not there, and exact to the last bit."""

import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dispatcher_sdk.farm.example.model import Model


class Checkpoints:
    """The checkpoints of one rank of one task, below a directory that all workers may share.

    `about` is what the weights depend on; a checkpoint made with something else is not loaded. A worker that lost its
    task without noticing writes beside its successor, but never anything else: a file is named by its epoch, and an
    epoch has one outcome.
    """

    def __init__(self, directory: Path, task_id: str, rank: int, about: Mapping[str, Any]) -> None:
        self._home = directory / re.sub(r"[^\w-]", "_", task_id) / f"rank-{rank}"
        self._about = dict(about)

    def save(self, epoch: int, model: Model) -> Path:
        """Write the weights after `epoch` epochs; they are on the disk when this returns. Raises OSError."""
        self._home.mkdir(parents=True, exist_ok=True)
        place = self._home / f"epoch-{epoch:06}.json"
        content = {
            "epoch": epoch,
            "about": self._about,
            "weights": [weight.hex() for weight in model.weights],
            "bias": model.bias.hex(),
        }
        temporary = place.with_suffix(f".{secrets.token_hex(8)}.tmp")  # a predecessor may write the same epoch
        try:
            with temporary.open("x", encoding="ascii") as file:
                json.dump(content, file, indent=1, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)
        self._sync_directory()
        return place

    def load(self, reported: str) -> tuple[int, Model] | None:
        """Epoch and weights of a checkpoint that was reported, None without one that fits.

        Only the name counts: another machine may see the shared directory under another path.
        """
        try:
            content = json.loads((self._home / Path(reported).name).read_text("ascii"))
            if content["about"] != self._about:
                return None
            weights = [float.fromhex(weight) for weight in content["weights"]]
            return int(content["epoch"]), Model(weights, float.fromhex(content["bias"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _sync_directory(self) -> None:
        """A renamed file survives a power failure only with its directory."""
        handle = os.open(self._home, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
