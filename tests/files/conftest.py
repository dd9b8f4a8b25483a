"""The bucket of these tests is one of a server of their own."""

import os
from importlib.util import find_spec

MISSING = [name for name in ("obstore", "moto") if find_spec(name) is None]
if MISSING and os.environ.get("CI"):
    raise RuntimeError(f"not installed: {', '.join(MISSING)}")
collect_ignore_glob = ["test_objects.py"] if MISSING else []  # the extra `s3` is not here: nothing to test
