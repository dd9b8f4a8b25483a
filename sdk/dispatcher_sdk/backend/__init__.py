"""The adapter that turns a Python function into a server of the fleet.

`http_server` speaks HTTP/1.1, `push` the predict protocol over it, `calls` runs the functions and knows which are
running, `membership` keeps the server registered, `adapter` ties them together. How work reaches a server is the
business of `push` alone: other transports take its place beside the same `calls` and `membership`.
"""

from dispatcher_sdk.backend.adapter import Backend
from dispatcher_sdk.backend.context import Context
from dispatcher_sdk.backend.functions import InvalidInput

__all__ = ["Backend", "Context", "InvalidInput"]
