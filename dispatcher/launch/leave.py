"""The end of a process that has served."""

import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process with `code`. After granian not through the interpreter's teardown: its threads still ask for the
    interpreter while it goes, and abort the process instead (SIGABRT in place of the exit code)."""
    if "granian" not in sys.modules:
        raise SystemExit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
