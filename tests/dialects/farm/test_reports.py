"""Progress reports are sent in rounds that keep a distance."""

import asyncio

from dispatcher.dialects.farm.messages import TaskProgress
from dispatcher.dialects.farm.reports import APART_S, Reports
from tests.dialects.farm.world import NOBODY


def _report(progress: float, loss: float | None = None, **more: object) -> TaskProgress:
    metrics = {} if loss is None else {"loss": loss}
    return TaskProgress.model_validate({"task_id": NOBODY, "progress": progress, "metrics": metrics, **more})


async def test_what_comes_between_two_rounds_becomes_one_report() -> None:
    sent: list[TaskProgress] = []
    pauses: list[float] = []
    over = asyncio.Event()

    async def send(report: TaskProgress) -> None:
        sent.append(report)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await over.wait()
        over.clear()

    reports = Reports(send, pause=pause)
    running = asyncio.create_task(reports.run())
    first = _report(1, 0.5)
    reports.put(first)
    await _settle()
    assert sent == [first]
    reports.put(_report(2, 0.4, checkpoint_path="/a", metrics={"loss": 0.4, "accuracy": 0.9}))
    reports.put(_report(3, 0.3))
    reports.put(TaskProgress(task_id="another", progress=7.0))
    await _settle()
    assert sent == [first], "not before the pause is over"
    over.set()
    await _settle()
    joined = _report(3, checkpoint_path="/a", metrics={"loss": 0.3, "accuracy": 0.9})
    assert sent[1:] == [joined, TaskProgress(task_id="another", progress=7.0)]
    assert pauses == [APART_S, APART_S]

    reports.put(_report(4, 0.2, attempt=1))
    reports.put(_report(5, attempt=2))
    await reports.flush(NOBODY)
    assert sent[3:] == [_report(5, attempt=2)], "of another attempt: nothing to join"
    await reports.flush(NOBODY)
    assert len(sent) == 4
    running.cancel()


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
