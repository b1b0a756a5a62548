"""One run folder becomes one HTML file, its figures, and its rows in two formats."""

from pathlib import Path

from matplotlib.figure import Figure

from gatewright.reports import figures
from gatewright.reports.confusion import table_of
from gatewright.reports.counters import cycle_labels, event_labels
from gatewright.reports.intervals import shown_interval
from gatewright.reports.page import write_page
from gatewright.reports.run import Run, read_run
from gatewright.reports.style import style
from gatewright.run import StudyFiles

FIGURES = ("scores", "training", "cycles", "activity", "storage")
"""Names of all figures that a complete report holds."""


def write_report(run_folder: Path) -> Path:
    """Write the report of a run folder, its figures, and its rows as JSON and CSV.

    The page holds everything it shows and needs no other file. A step that has not been run is
    named with the command that runs it. The same rows give the same bytes.

    Parameters
    ----------
    run_folder : Path
        With the rows of some of `run.STEPS`.

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
        return write_page(
            run.files,
            "report.html",
            _draw(run),
            FIGURES,
            run.rows,
            {
                "run": run,
                "cycle_counters": cycle_labels(_counters(run)),
                "event_counters": event_labels(_counters(run)),
                "ratios": _ratios(run),
                "interval": lambda score, split, told: shown_interval(
                    run.metric, score, run.scored.get(split), told.get(split)
                ),
                "table_of": table_of,
                "searched": StudyFiles(run.files.search).report,
            },
        )


def _draw(run: Run) -> dict[str, Figure]:
    drawn = {}
    if any(model.score is not None for model in run.models):
        drawn["scores"] = figures.scores_figure(run.models, run.training, run.metric, run.scored.get("test"))
    if run.training and run.training.progress:
        drawn["training"] = figures.training_figure(run.training, run.metric)
    if run.simulation and run.simulation.executions:
        drawn["cycles"] = figures.cycles_figure(run.simulation)
        if _counters(run):
            drawn["activity"] = figures.activity_figure(run.simulation)
    if run.build and run.build.storage:
        drawn["storage"] = figures.storage_figure(run.build.storage)
    return drawn


def _counters(run: Run) -> list[str]:
    """Give the names of all performance counters that are recorded, each once."""
    executions = run.simulation.executions.values() if run.simulation else ()
    return list(dict.fromkeys(name for execution in executions for name in execution.counters))


def _ratios(run: Run) -> list[tuple[str, float, float]]:
    """Return (model, cycles dense, cycles sparse) where both modes were simulated."""
    executions = run.simulation.executions if run.simulation else {}
    return [
        (model, executions[model, "dense"].cycles_per_step, execution.cycles_per_step)
        for (model, mode), execution in executions.items()
        if mode == "sparse" and (model, "dense") in executions
    ]
