"""Commands beside a run: benchmarks, and rows as a table."""

from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.app import command
from gatewright.console import TerminalProgress, show_rows
from gatewright.reports.markdown import markdown
from gatewright.results import read_rows


@command
def bench(
    name: Annotated[str, typer.Argument(help="What to measure; a wrong name lists all.")],
    json: Annotated[Path | None, typer.Option("--json", help="Also write the rows to this file.")] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Random cases of `cycles`.")] = 500,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the cases of `cycles`.")] = 0,
    text: Annotated[
        Path | None, typer.Option("--text", help="A text (.txt), for those that need one.")
    ] = None,
) -> None:
    """Measure a part and print rows: name, value, unit, parameters, seed."""
    from gatewright.benchmarks import registry

    with TerminalProgress() as progress:
        rows = registry.bench(name, json, registry.Options(progress, n, seed, text))
    show_rows(rows)


@command
def table(
    files: Annotated[list[Path], typer.Argument(help="Files of rows, as steps and benchmarks write them.")],
) -> None:
    """Print rows as a Markdown table."""
    rows = [row for path in files for row in read_rows(path)]
    typer.echo(markdown(rows), nl=False)
