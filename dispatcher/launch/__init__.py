"""Serves ASGI apps and stops them well: signals, drain and the last word are ours, whichever server runs below."""

from dispatcher.launch.connections import ASGIApp
from dispatcher.launch.launcher import Drainable, Listen, Options, launch
from dispatcher.launch.sockets import PortInUse, free_port

__all__ = ["ASGIApp", "Drainable", "Listen", "Options", "PortInUse", "free_port", "launch"]
