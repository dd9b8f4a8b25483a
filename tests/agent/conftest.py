"""GPUs are looked at with the library for them, where it is."""

import os
from importlib.util import find_spec

from tests.support.leaks import no_task_leaks

__all__ = ["no_task_leaks"]

if find_spec("pynvml") is None and os.environ.get("CI"):
    raise RuntimeError("not installed: pynvml")
collect_ignore_glob = [] if find_spec("pynvml") else ["test_nvml.py"]
