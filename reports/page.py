"""What every report is written with: its page, its figures, and its rows in two formats."""

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from gatewright.reports.formatting import number, percent
from gatewright.reports.style import inline_svg, theme_css, to_png, to_svg
from gatewright.results import Row
from gatewright.storage import whole_file


def write_page(
    folder: Path,
    template: str,
    drawn: Mapping[str, Figure],
    names: Iterable[str],
    rows: Mapping[str, list[Row]],
    context: Mapping[str, object],
) -> Path:
    """Write ``report.html``, ``figures/*.svg|png``, ``rows.json`` and ``rows.csv``; the same rows give the same bytes.

    Must be called in the context that `style` gives.

    Parameters
    ----------
    folder : Path
    template : str
        A file beside this one.
    drawn : dict of Figure
    names : iterable of str
        All figures that the report may have; what an earlier report left of those not drawn is removed.
    rows : dict of list of Row
        By the file that they come from.
    context : dict
        What the template needs beside ``figures``, ``theme``, ``versions`` and ``commits``.
    """
    svgs = {name: to_svg(figure) for name, figure in drawn.items()}
    pngs = {name: to_png(figure) for name, figure in drawn.items()}
    everything = [row for each in rows.values() for row in each]
    page = (
        _environment()
        .get_template(template)
        .render(
            figures={name: Markup(inline_svg(svg, name)) for name, svg in svgs.items()},
            theme=Markup(theme_css()),
            versions=_distinct(row.versions for row in everything),
            commits=sorted({str(row.commit) for row in everything}),
            **context,
        )
    )
    pictures = folder / "figures"
    pictures.mkdir(exist_ok=True)
    for name in names:
        for suffix, content in ((".svg", svgs.get(name)), (".png", pngs.get(name))):
            path = pictures / (name + suffix)
            if content is None:
                path.unlink(missing_ok=True)
            else:
                _write(path, content)
    _write(folder / "rows.json", _rows_json(rows))
    _write(folder / "rows.csv", _rows_csv(rows))
    report = folder / "report.html"
    _write(report, page)
    return report


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gatewright.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": percent, "number": number}
    return environment


def _distinct(versions: Iterable[Mapping]) -> dict[str, str]:
    """Join the versions of all rows; a tool that changed between rows shows every version."""
    found: dict[str, set[str]] = {}
    for entry in versions:
        for name, version in entry.items():
            found.setdefault(name, set()).add(str(version))
    return {name: ", ".join(sorted(found[name])) for name in sorted(found)}


def _rows_json(rows: Mapping[str, list[Row]]) -> str:
    return (
        json.dumps({name: [dataclasses.asdict(row) for row in each] for name, each in rows.items()}, indent=1)
        + "\n"
    )


def _rows_csv(rows: Mapping[str, list[Row]]) -> str:
    """Write one line for each row; parameters and versions as JSON in their cells."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("step", "name", "unit", "value", "parameters", "seed", "versions", "commit"))
    for name, each in rows.items():
        for row in each:
            parameters, versions = json.dumps(row.parameters), json.dumps(row.versions)
            writer.writerow((name, row.name, row.unit, row.value, parameters, row.seed, versions, row.commit))
    return stream.getvalue()


def _write(path: Path, content: str | bytes) -> None:
    with whole_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
