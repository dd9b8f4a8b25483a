"""What an operator may have an agent do with its models."""

from collections.abc import Mapping
from typing import Any

from dispatcher.agent.commands import Act
from dispatcher.agent.errors import CommandError
from dispatcher.agent.models import Models


def model_acts(models: Models) -> dict[str, Act]:
    """By verb. They raise CommandError, NotHere and TaskError."""

    async def load(args: Mapping[str, Any]) -> dict[str, Any]:
        resident = await models.load(_model(args))
        return {
            "memory_bytes": resident.memory,
            "gpu_memory_bytes": resident.gpu_memory,
            "load_ms": resident.load_ms,
        }

    async def unload(args: Mapping[str, Any]) -> dict[str, Any]:
        within_s = float(args.get("within_s", 0)) if args.get("when_idle") is True else 0.0
        await models.unload(_model(args), force=args.get("force") is True, within_s=within_s)
        return {}

    return {"model.load": load, "model.unload": unload}


def _model(args: Mapping[str, Any]) -> str:
    name = args.get("model")
    if not isinstance(name, str):
        raise CommandError("model must be a string")
    return name
