"""The training function of the example."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dispatcher_sdk.farm.example.checkpoints import Checkpoints
from dispatcher_sdk.farm.example.data import generate
from dispatcher_sdk.farm.example.model import Model, Settings, batches
from dispatcher_sdk.farm.task import FarmTask

log = logging.getLogger("dispatcher_sdk.farm.example")


class Training:
    """Trains a task, with a checkpoint under `directory` after every epoch.

    Of the configuration it uses epochs, learning_rate, batch_size and seed. In a distributed run every rank trains a
    model of its own on every `world_size`-th row, and nothing is exchanged between them: this shows how ranks are
    handed out, not how gradients are summed. `step_delay` seconds pass in every epoch, to have time to look.
    """

    def __init__(self, directory: Path, step_delay: float = 0.0) -> None:
        self._directory = directory
        self._step_delay = step_delay

    def __call__(self, task: FarmTask) -> dict[str, float]:
        """The metrics of the result: final_loss, final_accuracy, and training_time, the seconds of this attempt.

        Raises ValueError for a configuration that it cannot use, OSError when a checkpoint cannot be written.
        """
        began = time.monotonic()
        wanted = settings(task.config)
        rows = generate(wanted.seed)[task.rank :: task.world_size]
        if not rows:
            raise ValueError("more ranks than rows")
        about = {**asdict(wanted), "rank": task.rank, "world_size": task.world_size}
        checkpoints = Checkpoints(self._directory, task.id, task.rank, about)
        done, model = self._begin(task, checkpoints)
        loss, accuracy = model.score(rows)
        for epoch in range(done + 1, wanted.epochs + 1):
            for batch in batches(rows, wanted, epoch):
                model.learn(batch, wanted.learning_rate)
            time.sleep(self._step_delay)  # 0 but for who wants to watch or to interrupt it
            loss, accuracy = model.score(rows)
            place = checkpoints.save(epoch, model)
            metrics = {"loss": loss, "accuracy": accuracy, "learning_rate": wanted.learning_rate}
            task.step(100.0 * epoch / wanted.epochs, metrics, str(place))
        took = round(time.monotonic() - began, 3)
        return {"final_loss": loss, "final_accuracy": accuracy, "training_time": took}

    def _begin(self, task: FarmTask, checkpoints: Checkpoints) -> tuple[int, Model]:
        """How many epochs are done, and the weights after them."""
        if task.world_size > 1:
            log.info("task %s: rank %d of %d, on its own rows alone", task.id, task.rank, task.world_size)
        earlier = checkpoints.load(task.checkpoint_path) if task.checkpoint_path else None
        if earlier is not None:
            log.info("task %s goes on after epoch %d", task.id, earlier[0])
            return earlier
        if task.checkpoint_path:
            log.warning("task %s starts anew: %s is of no use here", task.id, task.checkpoint_path)
            task.checkpoint_path = None
        return 0, Model.fresh()


def settings(config: Mapping[str, Any]) -> Settings:
    """The settings of a configuration; what it does not say has a default. Raises ValueError."""
    usual = Settings()
    return Settings(
        epochs=_whole(config, "epochs", usual.epochs),
        learning_rate=_number(config, "learning_rate", usual.learning_rate),
        batch_size=_whole(config, "batch_size", usual.batch_size),
        seed=_whole(config, "seed", usual.seed),
    )


def _whole(config: Mapping[str, Any], name: str, usual: int) -> int:
    value = _number(config, name, usual)
    if not value.is_integer():
        raise ValueError(f"{name} is a whole number")
    return int(value)


def _number(config: Mapping[str, Any], name: str, usual: float) -> float:
    value = config.get(name)
    if value is None:
        return float(usual)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is a number")
    return float(value)
