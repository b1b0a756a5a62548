"""The files behind the tables, what is known of them, and Markdown."""

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from gatewright.benchmarks.staleness import State, Status, statuses
from gatewright.results import Rows, read_rows

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
"""Rows of the benchmarks, and the demo's summary and synthesis rows."""

READ: list[str] = []
"""Names of the files that were read, in order."""

MARK = re.compile(r"(\n\n| )\*[Ss]tale: [^*]*\*")
"""What says in a document that a figure is stale."""


_WHY = "[why](docs/results.md#where-the-figures-come-from)"

Text = Callable[[], str]
"""A table, or what is said of one."""


class NotMeasuredError(Exception):
    """A file of results is missing; the text is its name."""


@cache
def known() -> dict[str, Status]:
    """Return what is known of each file, by name."""
    return statuses()


def rows(*names: str) -> Rows:
    """Read the rows of files of results."""
    return read_rows(*(_path(name) for name in names))


def rows_of_part(name: str) -> Rows:
    """Read the rows of the files that are there of a part that is measured by seed.

    Raises
    ------
    NotMeasuredError
        None is.
    """
    files = {file: status for file, status in known().items() if file.startswith(f"{name}-")}
    READ.extend(files)
    found = [file for file, status in files.items() if status.state != State.MISSING]
    if not found:
        raise NotMeasuredError(name)
    return rows(*found)


def summary(name: str) -> dict:
    """Read the summary of a run."""
    return json.loads(_path(name).read_text())


def _path(name: str) -> Path:
    READ.append(name)
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        raise NotMeasuredError(name)
    return path


def shown(*texts: str | Text) -> str:
    """Return texts one below the other, and below them which of the files that they read are stale.

    Where a file is missing, that is all that is said.
    """
    begin = len(READ)
    try:
        found = [text if isinstance(text, str) else text() for text in texts]
    except NotMeasuredError as missing:
        return _not_measured(str(missing))
    files: dict[str, list[str]] = {}
    for status in _stale(begin):
        files.setdefault(_reason(status), []).append(status.file)
    reasons = [f"{', '.join(names)}, because {reason}" for reason, names in files.items()]
    return "\n\n".join([*found, *([f"*Stale: {'; '.join(reasons)}.*"] if reasons else [])])


def shown_line(what: str, figure: Callable[[], tuple[str, str]]) -> tuple[str, str, str]:
    """Return what is measured, the figure, and how: marked where it is stale, as the page of results says why."""
    begin = len(READ)
    try:
        value, command = figure()
    except NotMeasuredError as missing:
        return what, "–", _not_measured(str(missing))
    return what, value + (f" *stale: {_WHY}*" if _stale(begin) else ""), command


def _not_measured(name: str) -> str:
    remedy = known()[name].remedy if name in known() else f"make results ONLY={name}"
    return f"Not measured: `{remedy}` does."


def _reason(status: Status) -> str:
    return status.reason.replace("_", r"\_")  # Else Markdown takes the underscores of a path for emphasis.


def _stale(begin: int) -> list[Status]:
    found = (known()[name] for name in dict.fromkeys(READ[begin:]))
    return [status for status in found if status.state == State.STALE]


def markdown(header: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    header = list(header)
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def origins() -> str:
    """Return the commit that each file was measured at, and whether its code was committed."""
    committed = {False: "yes", True: "no", None: "not recorded"}
    body = [
        (f"`{status.file}`", ", ".join(status.commits) or "not recorded", committed[status.dirty])
        for status in known().values()
        if status.state != State.MISSING
    ]
    return markdown(("file", "commit", "its code was committed"), body)
