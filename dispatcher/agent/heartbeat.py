"""What a heartbeat says, within what the gateway takes: one that it refuses would cost all tasks their leases."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

MOST_METRICS = 8_192  # bytes, as JSON
MOST_RUNNING = 1_024
MOST_MODELS = 64
MOST_AMOUNT = 1 << 53


def heartbeat(
    boot_id: str, metrics: Mapping[str, Any], running: Sequence[str], models: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """`running` is left out where it is too long to be told whole: what a list lacks would be taken for lost."""
    return {
        "type": "heartbeat",
        "bootId": boot_id,
        "metrics": _fitting(metrics),
        "running": list(running) if len(running) <= MOST_RUNNING else None,
        "models": [_bounded(model) for model in models[:MOST_MODELS]],
    }


def _fitting(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Without the last GPUs of very many, and without any figures where that does not help."""
    told = dict(metrics)
    while (size := len(json.dumps(told))) > MOST_METRICS and told.get("gpus"):
        gpus = told["gpus"]
        told["gpus"] = gpus[: len(gpus) * MOST_METRICS // size]
    return told if size <= MOST_METRICS else {}


def _bounded(model: Mapping[str, Any]) -> dict[str, Any]:
    return {name: min(max(value, 0), MOST_AMOUNT) if isinstance(value, int) else value for name, value in model.items()}
