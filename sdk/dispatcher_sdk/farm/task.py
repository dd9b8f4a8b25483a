"""One assigned task, as the training function sees it and as the connection steers it."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

Report = Callable[["FarmTask", float, Mapping[str, Any]], None]


class Stopped(Exception):
    """Raised by `FarmTask.step` when the training shall end early. Let it pass, or save what you have and raise it."""


class FarmTask:
    """A training task of this worker.

    `config` and `requirements` are what the task was created with. In a distributed run this worker is number `rank`
    of `world_size`, counted from 0; otherwise 0 of 1. `attempt` counts from 1, None where the gateway does not tell.
    `checkpoint_path` is the last one that was reported, by an earlier attempt at first; the training goes on from it
    if it can. It may be set at any time, and goes out with the next report and with the result.
    """

    def __init__(
        self,
        task_id: str,
        *,
        type: str = "training",  # noqa: A002 - the field's name
        config: Mapping[str, Any],
        requirements: Mapping[str, Any],
        report: Report,
    ) -> None:
        self.id = task_id
        self.type = type
        self.config = config
        self.requirements = requirements
        self.rank = whole(config.get("rank"), 0)
        self.world_size = whole(config.get("world_size"), 1)
        self.attempt: int | None = whole(config.get("attempt"), 0) or None
        earlier = config.get("checkpoint_path")
        self.checkpoint_path = earlier if isinstance(earlier, str) and earlier else None
        self._report = report
        self._changed = threading.Condition()
        self._paused = False
        self._stopping = False
        self._interrupted = False

    def step(
        self, progress: float, metrics: Mapping[str, float] | None = None, checkpoint_path: str | None = None
    ) -> None:
        """Report how far the training is, and give way: blocks while the task is paused.

        `progress` is in percent, 0..100. Metrics are free; those that are not finite are left out, JSON has none.
        Raises `Stopped` when the training shall end, TypeError or ValueError for metrics that have no JSON form or not
        within 16 KiB.
        """
        if checkpoint_path is not None:
            self.checkpoint_path = checkpoint_path
        self._report(self, min(100.0, max(0.0, float(progress))), metrics or {})
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or not self._paused)
            if self._stopping:
                self._interrupted = True
                raise Stopped

    @property
    def interrupted(self) -> bool:
        """Whether `Stopped` was raised: a function that returns all the same has not completed."""
        return self._interrupted

    def pause(self) -> None:
        """Have the next step wait."""
        self._set(paused=True)

    def resume(self) -> None:
        """Let the waiting step go on."""
        self._set(paused=False)

    def stop(self) -> None:
        """Have the next step, or the one that waits, raise `Stopped`."""
        self._set(stopping=True)

    def _set(self, *, paused: bool | None = None, stopping: bool = False) -> None:
        with self._changed:
            self._paused = self._paused if paused is None else paused
            self._stopping = self._stopping or stopping
            self._changed.notify_all()


def whole(value: Any, otherwise: int) -> int:
    """`value` if it is a whole number that is not negative."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise
