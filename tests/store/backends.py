"""The stores that the contract is held to."""

import pytest

from tests.support.redis_server import binaries

FAKEREDIS = "fakeredis"
STORES = ("memory", FAKEREDIS, *binaries())

# a test of thousands of calls: fakeredis runs the same scripts, twenty times slower
many_calls = pytest.mark.parametrize("store_url", [name for name in STORES if name != FAKEREDIS], indirect=True)
