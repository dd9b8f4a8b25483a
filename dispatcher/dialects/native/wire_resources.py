"""Amounts of resources between the wire and the domain. Pure."""

from dispatcher.dialects.native.answers import ResourcesAnswer
from dispatcher.dialects.native.requests import ResourceAmounts
from dispatcher.domain.resources import NOTHING, Resources

MB = 1 << 20


def resources(body: ResourceAmounts | None) -> Resources:
    """The amounts that a body names; nothing for those that it leaves out."""
    if body is None:
        return NOTHING
    return Resources(
        body.cpu or 0.0,
        (body.memory_mb or 0) * MB,
        (body.storage_mb or 0) * MB,
        body.gpu or 0.0,
        (body.gpu_memory_mb or 0) * MB,
    )


def resources_answer(amounts: Resources) -> ResourcesAnswer:
    """The amounts that are not nothing. What another API asked for in bytes may be parts of a MB."""
    answer = ResourcesAnswer()
    if amounts.cpu:
        answer["cpu"] = _plain(amounts.cpu)
    if amounts.memory:
        answer["memoryMB"] = _plain(amounts.memory / MB)
    if amounts.storage:
        answer["storageMB"] = _plain(amounts.storage / MB)
    if amounts.gpu:
        answer["gpu"] = _plain(amounts.gpu)
    if amounts.gpu_memory:
        answer["gpuMemoryMB"] = _plain(amounts.gpu_memory / MB)
    return answer


def _plain(value: float) -> float:
    """2 rather than 2.0."""
    return int(value) if value == int(value) else round(value, 3)
