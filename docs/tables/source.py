"""The rows behind the tables, and Markdown."""

from collections.abc import Iterable
from pathlib import Path

from gatewright.results import Rows, read_rows

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
"""Rows of the benchmarks, and the demo's summary and synthesis rows."""


def rows(*names: str) -> Rows:
    """Read the rows of files of results."""
    return read_rows(*(RESULTS / f"{name}.json" for name in names))


def markdown(header: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    header = list(header)
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
