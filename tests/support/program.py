"""The `dispatcher` program as a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECRET = "q8Vx2mT7rB4nK9sW1zY6cF3hJ5dL0pGe"


class Program:
    """`dispatcher ...` as a process; its standard output and errors in one stream."""

    def __init__(self, directory: Path, *arguments: str, **environ: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dispatcher", *arguments],
            cwd=directory,
            env={**clean, "PYTHONPATH": str(ROOT), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.out = self.process.stdout
        self.seen = ""

    def until(self, pattern: str) -> "re.Match[str]":
        """Read lines until one matches; fails with all that was said when the program ends first."""
        for line in self.out:
            self.seen += line
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"no {pattern!r} in:\n{self.seen}")

    def stop(self, signal: int) -> int:
        """Send a signal to the whole process group, as a terminal does; answers the exit code."""
        os.killpg(self.process.pid, signal)
        code = self.process.wait(15)
        self.seen += self.out.read()
        return code

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
        self.process.wait()
        self.out.close()
