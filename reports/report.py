"""One run folder becomes one HTML file, its figures, and its rows in two formats."""

from pathlib import Path

from matplotlib.figure import Figure

from gatewright.reports import figures
from gatewright.reports.counters import cycle_words, event_words
from gatewright.reports.page import write_page
from gatewright.reports.run import PAIRS, Run, read_run
from gatewright.reports.style import style

FIGURES = ("accuracy", "patterns", "training", "cycles", "activity", "storage")
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
        return write_page(
            run.folder,
            "report.html",
            _draw(run),
            FIGURES,
            run.rows,
            {
                "run": run,
                "pairs": PAIRS,
                "cycle_counters": cycle_words(_counters(run)),
                "event_counters": event_words(_counters(run)),
                "ratios": _ratios(run),
            },
        )


def _draw(run: Run) -> dict[str, Figure]:
    drawn = {}
    if run.compression and run.compression.scores:
        drawn["accuracy"] = figures.accuracy_figure(run.compression, run.training, run.metric)
    if run.patterns:
        drawn["patterns"] = figures.patterns_figure(run.patterns, run.metric)
    if run.training and run.training.progress:
        drawn["training"] = figures.training_figure(run.training, run.metric)
    if run.simulation and run.simulation.executions:
        drawn["cycles"] = figures.cycles_figure(run.simulation)
        if _counters(run):
            drawn["activity"] = figures.activity_figure(run.simulation)
    if run.storage:
        drawn["storage"] = figures.storage_figure(run.storage)
    return drawn


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
