"""The worker of the AI Farm API: it connects to the gateway, asks for tasks and trains.

`task` is what a training function sees, `training` runs it, `link` keeps one WebSocket open, `client` is the
conversation over it, and `reports` sees to it that its results arrive.
Needs the extra `socket`. `python -m dispatcher_sdk.farm.example` is a complete worker.
"""

from dispatcher_sdk.farm.client import FarmClient
from dispatcher_sdk.farm.link import Pace, Refused
from dispatcher_sdk.farm.task import FarmTask, Stopped
from dispatcher_sdk.farm.training import Train

__all__ = ["FarmClient", "FarmTask", "Pace", "Refused", "Stopped", "Train"]
