"""The application that commands register with."""

import functools
import shlex
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from gatewright import __version__
from gatewright.console import console
from gatewright.errors import GatewrightError

app = typer.Typer(
    help="A trained LSTM becomes a small FPGA accelerator, proven bit for bit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register a command that prints errors meant for people as such, with exit status 2."""

    @functools.wraps(function)
    def guarded(*args: Any, **options: Any) -> None:
        try:
            function(*args, **options)
        except GatewrightError as error:
            console.print(f"[bold red]{type(error).__name__}:[/] ", end="")
            console.print(str(error), markup=False, highlight=False)
            raise typer.Exit(2) from None

    return app.command(function.__name__.rstrip("_"))(guarded)


def command_line() -> str:
    """Give what the user typed."""
    return shlex.join(["gatewright", *sys.argv[1:]])


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gatewright {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the whole command."""
