"""How a command says that it cannot: one line per problem on stderr, and an exit code; never a traceback."""

import functools
from collections.abc import Callable, Iterable
from typing import ParamSpec

import typer

from dispatcher.settings.problems import SettingsError

P = ParamSpec("P")


class Failure(Exception):
    """The command cannot go on; the message is for the person at the terminal."""

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def warn(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(f"dispatcher: warning: {line}", err=True)


def told(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the errors that a user can mend into lines on stderr."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SettingsError as error:
            for problem in error.problems:
                typer.echo(f"dispatcher: {problem}", err=True)
            raise typer.Exit(2) from None
        except Failure as error:
            typer.echo(f"dispatcher: {error}", err=True)
            raise typer.Exit(error.code) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return wrapped
