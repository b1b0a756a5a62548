"""What every report is written with: its page, its figures, and its rows in two formats."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from gatewright.reports.formatting import amount, number, percent
from gatewright.reports.marks import Marks, marked
from gatewright.reports.style import inline_svg, theme_css, to_png, to_svg
from gatewright.results import Row, Rows, rows_json
from gatewright.run import ReportFolder
from gatewright.storage import make_folder, write_bytes


def write_page(
    files: ReportFolder,
    template: str,
    drawn: Mapping[str, Figure],
    names: Iterable[str],
    rows: Mapping[str, Rows],
    context: Mapping[str, object],
    marks: Mapping[str, Marks] | None = None,
) -> Path:
    """Write the report, its figures as SVG and PNG, and all rows as JSON and CSV; the same rows give the same bytes.

    Must be called in the context that `style` gives.

    Parameters
    ----------
    files : ReportFolder
        Where it goes.
    template : str
        A file beside this one.
    drawn : dict of Figure
    names : iterable of str
        All figures that the report may have; what an earlier report left of those not drawn is removed.
    rows : dict of Rows
        By the step that they are of.
    context : dict
        What the template needs beside ``files``, ``figures``, ``theme``, ``versions`` and ``commits``.
    marks : dict of Marks, optional
        What readers can point at, by the name of the figure.
    """
    marks = marks or {}
    svgs = {name: to_svg(figure) for name, figure in drawn.items()}
    pngs = {name: to_png(figure) for name, figure in drawn.items()}
    everything = [row for each in rows.values() for row in each]
    page = (
        environment()
        .get_template(template)
        .render(
            figures={
                name: Markup(inline_svg(marked(svg, marks.get(name, {})), name)) for name, svg in svgs.items()
            },
            theme=Markup(theme_css()),
            versions=_distinct(row.versions for row in everything),
            commits=sorted({_commit(row) for row in everything}),
            files=files,
            **context,
        )
    )
    make_folder(files.figures)
    for name in names:
        for suffix, content in ((".svg", svgs.get(name)), (".png", pngs.get(name))):
            path = files.figures / (name + suffix)
            if content is None:
                path.unlink(missing_ok=True)
            else:
                _write(path, content)
    as_json, as_csv = files.all_rows
    _write(as_json, _rows_json(rows))
    _write(as_csv, _rows_csv(rows))
    _write(files.report, page)
    return files.report


def environment() -> Environment:
    """Return what renders the templates beside this file, everything escaped."""
    environment = Environment(
        loader=PackageLoader("gatewright.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"amount": amount, "percent": percent, "number": number}
    return environment


def _commit(row: Row) -> str:
    return f"{row.commit} with uncommitted changes" if row.dirty else str(row.commit)


def _distinct(versions: Iterable[Mapping]) -> dict[str, str]:
    """Join the versions of all rows; a tool that changed between rows shows every version."""
    found: dict[str, set[str]] = {}
    for entry in versions:
        for name, version in entry.items():
            found.setdefault(name, set()).add(str(version))
    return {name: ", ".join(sorted(found[name])) for name in sorted(found)}


def _rows_json(rows: Mapping[str, Rows]) -> str:
    """Return an object of what `rows_json` gives for each step."""
    steps = (f"{json.dumps(name)}: {rows_json(each)}" for name, each in rows.items())
    return "{" + ",\n".join(steps) + "}\n"


def _rows_csv(rows: Mapping[str, Rows]) -> str:
    """Write one line for each row; parameters and versions as JSON in their cells."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("step", "name", "unit", "value", "parameters", "seed", "versions", "commit", "dirty"))
    for name, each in rows.items():
        for row in each:
            parameters, versions = json.dumps(row.parameters), json.dumps(row.versions)
            origin = (row.seed, versions, row.commit, row.dirty)
            writer.writerow((name, row.name, row.unit, row.value, parameters, *origin))
    return stream.getvalue()


def _write(path: Path, content: str | bytes) -> None:
    write_bytes(path, content.encode() if isinstance(content, str) else content)
