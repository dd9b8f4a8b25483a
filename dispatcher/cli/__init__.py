"""The command line. What a command needs is imported when it runs, so that `--help` and `token` answer at once."""

from dispatcher.cli.commands import main

__all__ = ["main"]
