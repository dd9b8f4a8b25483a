"""The adapter that turns a Python function into a server of the fleet.

`calls` runs the functions and knows which are running, `membership` keeps the server registered, `adapter` ties them
together. How work reaches a server is the business of its `transport`: `push` is called, with the predict protocol over
the HTTP/1.1 of `http_server`; `pull` claims; `socket` is handed it, and reports through `outgoing`. They stand beside
the same `calls` and `membership`.
"""

from dispatcher_sdk.backend.adapter import Backend
from dispatcher_sdk.backend.context import Context
from dispatcher_sdk.backend.functions import InvalidInput

__all__ = ["Backend", "Context", "InvalidInput"]
