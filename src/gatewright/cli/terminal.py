"""The terminal: results on the standard output, progress, advice and errors on the standard error."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from gatewright.cli.answer import Answer
from gatewright.progress import Progress, silent
from gatewright.reports.markdown import plain
from gatewright.results import Row


class Terminal:
    """Prints what commands answer.

    Parameters
    ----------
    quiet : bool
        Print results, warnings and errors only.
    """

    def __init__(self, *, quiet: bool = False):
        self._quiet = quiet
        self._out, self._err = Console(), Console(stderr=True)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Give a callback that draws one bar for each piece of work."""
        if self._quiet:
            yield silent
            return
        bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[remark]}"),
            console=self._err,
        )
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int, remark: str) -> None:
            if not tasks:
                bars.start()
            if what not in tasks:
                tasks[what] = bars.add_task(escape(what), total=total, remark=escape(remark))
            bars.update(tasks[what], completed=done, total=total, remark=escape(remark))

        try:
            yield tell
        finally:
            bars.stop()

    def show(self, answer: Answer, command: str, *, as_json: bool) -> None:
        """Print an answer."""
        if as_json:
            typer.echo(json.dumps(answer.to_json(command), indent=1))
        else:
            if answer.text:
                typer.echo(answer.text, nl=not answer.text.endswith("\n"))
            elif answer.table:
                self._out.print(_table(answer.table))
            self._lines(self._out, answer.lines)
        self._lines(self._err, (f"warning: {each}" for each in answer.warnings))
        if self._quiet:
            return
        if answer.wrote is not None:
            self._lines(self._err, [f"wrote {answer.wrote}"])
        self._lines(self._err, (f"next: {each}" for each in answer.following))

    def error(self, kind: str, text: str) -> None:
        """Print an error."""
        self._err.print(f"[bold red]{kind}:[/] ", end="")
        self._lines(self._err, [text])

    @staticmethod
    def _lines(console: Console, lines: Any) -> None:
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(rows: list[Row]) -> Table:
    table = Table("name", "parameters", "value", "unit")
    for row in rows:
        parameters = ", ".join(f"{key} {value}" for key, value in row.parameters.items())
        table.add_row(escape(row.name), escape(parameters), escape(plain(row.value)), escape(row.unit))
    return table
