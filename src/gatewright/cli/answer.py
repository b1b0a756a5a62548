"""What a command answers: for people as lines and tables, for programs as JSON, from the same fields."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gatewright.results import Row


@dataclass(frozen=True)
class Answer:
    """The result of a command.

    Parameters
    ----------
    rows : sequence of Row
        Figures.
    shown : tuple of str
        Names of the rows that people see as a table; empty for all.
    lines : tuple of str
        What is said besides.
    warnings : tuple of str
        What the user should look at.
    wrote : path, optional
        The file or folder that was made.
    following : tuple of str
        Commands that go on from here.
    values : dict
        Further results; plain JSON values.
    text : str
        Printed as it is, in place of a table.
    exit_code : int
        The exit status.
    """

    rows: Sequence[Row] = ()
    shown: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    wrote: Path | None = None
    following: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    exit_code: int = 0

    @property
    def table(self) -> list[Row]:
        """The rows that people see."""
        return [row for row in self.rows if not self.shown or row.name in self.shown]

    def to_json(self, command: str) -> dict[str, Any]:
        """Return the answer as plain JSON values."""
        rows = []
        for row in self.rows:
            entry = asdict(row)
            del entry["versions"], entry["commit"], entry["dirty"]
            rows.append(entry)
        return {
            "command": command,
            **self.values,
            "rows": rows,
            "notes": list(self.lines),
            "warnings": list(self.warnings),
            "wrote": None if self.wrote is None else str(self.wrote),
            "next": list(self.following),
        }
