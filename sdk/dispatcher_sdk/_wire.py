"""The logger that WebSockets are given: below INFO the library writes down the headers, and with them the token."""

import logging

quiet = logging.getLogger("dispatcher_sdk.wire")
quiet.setLevel(logging.INFO)
