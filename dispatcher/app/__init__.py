"""The composition root: the only place that knows all the parts."""

from dispatcher.app.build import build
from dispatcher.app.gateway import Gateway
from dispatcher.app.stores import open_configured, store_of

__all__ = ["Gateway", "build", "open_configured", "store_of"]
