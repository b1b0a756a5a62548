"""The application that commands register with, and what all commands have in common."""

import functools
import inspect
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import tomli_w
import typer

from gatewright import __version__
from gatewright.cli.answer import Answer
from gatewright.cli.terminal import Terminal
from gatewright.errors import ConfigError, GatewrightError, MismatchError, Terminated, ToolError, explained
from gatewright.storage import write_text
from gatewright.texts import read_toml


class ExitCode(IntEnum):
    """What the exit status says; documented in the README."""

    OK = 0
    DEFECT = 1
    USAGE = 2
    INPUT = 3
    MISMATCH = 4
    TOOL = 5
    INTERRUPTED = 130
    TERMINATED = 143


_ERRORS = ((MismatchError, ExitCode.MISMATCH), (ToolError, ExitCode.TOOL), (GatewrightError, ExitCode.INPUT))

app = typer.Typer(
    help="A trained LSTM becomes a small FPGA accelerator, proven bit for bit.",
    epilog="Exit status: 0 done, 1 a defect of Gatewright, 2 wrong usage, 3 bad input, 4 a mismatch, 5 a tool failed, "
    "130 interrupted, 143 terminated.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take the options of a command from a file, under those that are typed."""
    if path is None:
        return None
    try:
        stored = read_toml(path, "TOML", ConfigError)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    name = context.info_name or ""
    if not isinstance(stored.get(name), dict):
        raise typer.BadParameter(f"{path} has no table [{name}]; it has {', '.join(stored) or 'none'}")
    for option, value in stored[name].items():
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str | int | float) for each in listed):
            raise typer.BadParameter(
                f"{path}: {option} of {name} must be a text, a number, or a list of these"
            )
    by_option = {_option(each): each.name for each in context.command.params}
    unknown = set(stored[name]) - set(by_option)
    if unknown:
        raise typer.BadParameter(f"{path}: {name} has no option {', '.join(sorted(unknown))}")
    context.default_map = {by_option[option]: value for option, value in stored[name].items()}
    return path


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Take options from this TOML file, as every run writes it; what is typed counts more.",
        is_eager=True,
        callback=_read_config,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results, warnings and errors only.")]

_COMMON: dict[str, tuple[Any, Any]] = {
    "context": (typer.Context, inspect.Parameter.empty),
    "config": (Config, None),
    "json": (Json, False),
    "quiet": (Quiet, False),
}
_PROGRESS, _COMMAND = "progress", "command"
"""Parameters of a command's function that are given to it, not typed."""


def command(*examples: str) -> Callable[[Callable[..., Answer]], Callable[..., None]]:
    """Register a function as a command.

    The function takes its options, and ``progress`` and ``command`` (what the user typed) where it wants them; it
    returns an `Answer`, which is printed: results on the standard output, all else on the standard error.

    Parameters
    ----------
    *examples : str
        What the help shows.
    """

    def register(function: Callable[..., Answer]) -> Callable[..., None]:
        own = inspect.signature(function).parameters
        given = [name for name in (_PROGRESS, _COMMAND) if name in own]

        @functools.wraps(function)
        def run(
            *, context: typer.Context, config: Path | None, json: bool, quiet: bool, **options: Any
        ) -> None:
            terminal = Terminal(quiet=quiet)
            with guarded(terminal):
                with terminal.progress() as progress:
                    extra = {_PROGRESS: progress, _COMMAND: command_line()}
                    answer = function(**options, **{name: extra[name] for name in given})
                if answer.wrote is not None:
                    _write_config(answer.wrote, context)
                terminal.show(answer, context.info_name or "", as_json=json)
            if answer.exit_code:
                raise typer.Exit(answer.exit_code)

        parameters = [each for name, each in own.items() if name not in given]
        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        common = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in _COMMON.items()
        ]
        run.__signature__ = inspect.Signature([*parameters, *common])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (*parameters, *common)}
        epilog = "Examples:\n\n" + "\n\n".join(examples)
        app.command(function.__name__.rstrip("_"), epilog=epilog)(run)
        return run

    return register


class guarded:
    """Turns errors, Ctrl-C and SIGTERM into messages on the standard error and an exit status."""

    def __init__(self, terminal: Terminal):
        self._terminal = terminal
        self._before: Any = None

    def __enter__(self) -> None:
        # By itself SIGTERM would end this process alone, in the middle of whatever it does.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, _terminate)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
        if error is None or isinstance(error, typer.Exit | typer.Abort | SystemExit):
            return
        if isinstance(error, KeyboardInterrupt):
            ended = isinstance(error, Terminated)
            self._terminal.error(
                "terminated" if ended else "interrupted",
                "what was finished stays; the same command goes on or starts again",
            )
            raise typer.Exit(ExitCode.TERMINATED if ended else ExitCode.INTERRUPTED) from None
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(ExitCode.OK) from None
        if isinstance(error, OSError):
            self._terminal.error("error", f"{error.filename or 'a file'}: {explained(error)}")
            raise typer.Exit(ExitCode.INPUT) from None
        for kind_of, code in _ERRORS:
            if isinstance(error, kind_of):
                self._terminal.error("error", str(error))
                raise typer.Exit(code) from None
        if isinstance(error, Exception):
            self._terminal.error("defect of Gatewright", "please report it with the command and these lines:")
            traceback.print_exception(error, file=sys.stderr)
            raise typer.Exit(ExitCode.DEFECT) from None


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def command_line() -> str:
    """Return what the user typed."""
    return shlex.join(["gatewright", *sys.argv[1:]])


def _option(parameter: Any) -> str:
    """Return the name of a parameter as it is typed, without dashes."""
    longest = max(parameter.opts, key=len)
    return longest.lstrip("-")


def _write_config(wrote: Path, context: typer.Context) -> None:
    """Write the options of a run beside what it wrote, so that ``--config`` repeats it."""
    values = {
        _option(each): _toml(context.params[each.name])
        for each in context.command.params
        if each.name in context.params
        and each.name not in ("config", "json", "quiet", "help")
        and context.params[each.name] not in (None, [], ())
    }
    path = wrote / "run.toml" if wrote.is_dir() else wrote.with_name(wrote.name + ".toml")
    name = context.info_name or ""
    text = f"# gatewright {name} --config {path.name}\n" + tomli_w.dumps({name: values})
    write_text(path, text)


def _toml(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_toml(each) for each in value] if isinstance(value, list | tuple) else value


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
