"""Progress and tables in the terminal."""

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from gatewright.reports.markdown import plain
from gatewright.results import Row

console = Console()
"""Where everything for people is printed."""


class TerminalProgress:
    """A `gatewright.progress.Progress` that draws one bar for each piece of work; a context manager."""

    def __init__(self) -> None:
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[remark]}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "TerminalProgress":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, what: str, done: int, total: int, remark: str) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total, remark=remark)
        self._bars.update(self._tasks[what], completed=done, total=total, remark=remark)


def show_rows(rows: list[Row]) -> None:
    """Print result rows as a table."""
    table = Table("name", "parameters", "value", "unit")
    for row in rows:
        parameters = ", ".join(f"{key} {value}" for key, value in row.parameters.items())
        table.add_row(escape(row.name), escape(parameters), escape(plain(row.value)), escape(row.unit))
    console.print(table)


def show_summary(summary: dict) -> None:
    """Print the headline figures of a run."""
    table = Table("figure", "value", show_header=False)
    for name, value in summary.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key}: {plain(entry)}" for key, entry in value.items())
        table.add_row(escape(name), escape(plain(value)))
    console.print(table)
