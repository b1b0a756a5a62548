"""The rows behind the README, and Markdown."""

from collections.abc import Iterable
from pathlib import Path

from gatewright.results import Row, read_rows

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
"""Rows of the benchmarks, and the demo's summary and synthesis rows."""


def rows(name: str) -> list[Row]:
    """Read the rows of one file of results."""
    return read_rows(RESULTS / f"{name}.json")


def fits(row: Row, name: str, parameters: dict) -> bool:
    """Say whether a row has a name and parameters; None means that it must lack one."""
    return row.name == name and all(row.parameters.get(key) == value for key, value in parameters.items())


def value(found: list[Row], name: str, **parameters) -> float:
    """Give the value of the one row that fits."""
    fitting = [row for row in found if fits(row, name, parameters)]
    if len(fitting) != 1:
        raise LookupError(f"{len(fitting)} rows of {name} with {parameters}; there must be one")
    return float(fitting[0].value)


def markdown(header: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    """Give a Markdown table."""
    header = list(header)
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
