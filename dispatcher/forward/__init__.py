"""Calls to servers: the only importer of the HTTP client.

`HttpForwarder` builds the calls and judges the answers; a `Transport` carries them; `UrlPolicy` says where to.
"""

from dispatcher.forward.forwarder import HttpForwarder
from dispatcher.forward.policy import UrlPolicy
from dispatcher.forward.transports import TRANSPORTS, transport_named

__all__ = ["TRANSPORTS", "HttpForwarder", "UrlPolicy", "transport_named"]
