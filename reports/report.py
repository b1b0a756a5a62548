"""One run folder becomes one HTML file, its figures, and its rows in two formats."""

import csv
import dataclasses
import io
import json
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from gatewright.reports import figures
from gatewright.reports.counters import cycle_words, event_words
from gatewright.reports.run import PAIRS, Run, read_run
from gatewright.reports.style import inline_svg, style, theme_css, to_png, to_svg
from gatewright.run import RunFolder
from gatewright.storage import whole_file

FIGURES = ("accuracy", "training", "cycles", "activity", "storage")
"""Names of all figures that a complete report holds."""


def write_report(run_folder: Path) -> Path:
    """Write ``report.html``, ``figures/*.svg|png``, ``rows.json`` and ``rows.csv`` into a run folder.

    The page holds everything it shows and needs no other file. A step that has not been run is
    named with the command that runs it. The same rows give the same bytes.

    Parameters
    ----------
    run_folder : Path
        Folder with `summary.json` and the ``STEP.json`` files of `run.STEPS`.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    RunFolderError
        The folder holds no rows, or an entry is malformed; the text names file and entry.
    """
    run = read_run(run_folder)
    with style():
        drawn = _draw(run)
        svgs = {name: to_svg(figure) for name, figure in drawn.items()}
        pngs = {name: to_png(figure) for name, figure in drawn.items()}
    page = _page(run, {name: Markup(inline_svg(svg, name)) for name, svg in svgs.items()})

    files = RunFolder(run.folder)
    files.figures.mkdir(exist_ok=True)
    for name in FIGURES:
        for suffix, content in ((".svg", svgs.get(name)), (".png", pngs.get(name))):
            path = files.figures / (name + suffix)
            if content is None:
                path.unlink(missing_ok=True)
            else:
                _write(path, content)
    for path, text in zip(files.all_rows, (_rows_json(run), _rows_csv(run)), strict=True):
        _write(path, text)
    _write(files.report, page)
    return files.report


def _draw(run: Run) -> dict[str, Figure]:
    drawn = {}
    if run.compression and run.compression.accuracy:
        drawn["accuracy"] = figures.accuracy_figure(run.compression, run.training)
    if run.training and run.training.progress:
        drawn["training"] = figures.training_figure(run.training)
    if run.simulation and run.simulation.executions:
        drawn["cycles"] = figures.cycles_figure(run.simulation)
        if _counters(run):
            drawn["activity"] = figures.activity_figure(run.simulation)
    if run.storage:
        drawn["storage"] = figures.storage_figure(run.storage)
    return drawn


def _page(run: Run, svgs: dict[str, Markup]) -> str:
    environment = Environment(
        loader=PackageLoader("gatewright.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": figures.percent, "number": _number}
    return environment.get_template("report.html").render(
        run=run,
        pairs=PAIRS,
        cycle_counters=cycle_words(_counters(run)),
        event_counters=event_words(_counters(run)),
        figures=svgs,
        ratios=_ratios(run),
        theme=Markup(theme_css()),
        versions=_distinct(row.versions for rows in run.rows.values() for row in rows),
        commits=sorted({str(row.commit) for rows in run.rows.values() for row in rows}),
    )


def _counters(run: Run) -> list[str]:
    """Give the names of all performance counters that are recorded, each once."""
    executions = run.simulation.executions.values() if run.simulation else ()
    return list(dict.fromkeys(name for execution in executions for name in execution.counters))


def _ratios(run: Run) -> list[tuple[float, float, float, float]]:
    """Give (density, cycles dense, cycles sparse, sparse / dense) where both modes were simulated."""
    executions = run.simulation.executions if run.simulation else {}
    pairs = [
        (density, executions[density, "dense"].cycles_per_step, execution.cycles_per_step)
        for (density, mode), execution in executions.items()
        if mode == "sparse" and (density, "dense") in executions
    ]
    return [(density, dense, sparse, sparse / dense) for density, dense, sparse in pairs if dense and sparse]


def _distinct(versions) -> dict[str, str]:
    """Join the versions of all rows; a tool that changed between steps shows every version."""
    found: dict[str, set[str]] = {}
    for entry in versions:
        for name, version in entry.items():
            found.setdefault(name, set()).add(str(version))
    return {name: ", ".join(sorted(found[name])) for name in sorted(found)}


def _number(value: float | None, digits: int = 0) -> str:
    """Write a figure with thousands separators; a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def _rows_json(run: Run) -> str:
    rows = {step: [dataclasses.asdict(row) for row in rows] for step, rows in run.rows.items()}
    return json.dumps(rows, indent=1) + "\n"


def _rows_csv(run: Run) -> str:
    """Write one line for each row; parameters and versions as JSON in their cells."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("step", "name", "unit", "value", "parameters", "seed", "versions", "commit"))
    for step, rows in run.rows.items():
        for row in rows:
            parameters, versions = json.dumps(row.parameters), json.dumps(row.versions)
            writer.writerow((step, row.name, row.unit, row.value, parameters, row.seed, versions, row.commit))
    return stream.getvalue()


def _write(path: Path, content: str | bytes) -> None:
    with whole_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
