"""A study's folder becomes one HTML file, its figures, and its rows in two formats."""

import json
from pathlib import Path

from matplotlib.figure import Figure

from gatewright.reports import comparison_figures, study_figures
from gatewright.reports.candidates import FOUND, UNCOMPRESSED, UNIFORM, Point
from gatewright.reports.counters import cycle_labels
from gatewright.reports.intervals import shown_interval
from gatewright.reports.page import write_page
from gatewright.reports.parallel import chosen_parameters, parallel_figure
from gatewright.reports.study import METHODS, Study, read_study
from gatewright.reports.study_marks import fronts_marks, parallel_marks, point_mark
from gatewright.reports.style import style
from gatewright.reports.timeline import timeline_figure
from gatewright.run import parallelism

FIGURES = (
    "fronts",
    "parallel",
    "choices",
    "agreement",
    "counters",
    "timeline",
    "progress",
    "losses",
    "entropies",
)
"""Names of all figures that a complete report holds."""


def write_study_report(folder: Path) -> Path:
    """Write the report of a study's folder, its figures, and its rows as JSON and CSV.

    The page holds everything it shows and needs no other file. What has not been run is named with the command that
    runs it, so that a half-finished study has its report as well. The same rows give the same bytes.

    Parameters
    ----------
    folder : Path
        With some of the rows that `study.read_study` reads, and the study's settings.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    RunFolderError
        The folder holds no rows, or an entry is malformed; the text names file and entry.
    """
    study = read_study(folder)
    with style():
        return write_page(
            study.files,
            "study.html",
            _draw(study),
            FIGURES,
            study.rows,
            {
                "study": study,
                "found": study.of_kind(FOUND),
                "names": {FOUND: "found", UNIFORM: "set by hand", UNCOMPRESSED: "uncompressed"},
                "method": METHODS.get(study.method or "", study.method),
                "goals": {
                    "cycles": "cycles per step",
                    "bits": "stored bits",
                    "luts": "look-up tables",
                    "block_rams": "block RAMs",
                },
                "build": study.files.command("point")
                + parallelism(study.best.candidate if study.best else {}),
                "best": study.best,
                "shown": _shown(study),
                "largest": max(map(abs, study.differences), default=None),
                "counters": cycle_labels(
                    [name for point in study.points for name in point.counters if name != "cycles"]
                ),
                "products": list(dict.fromkeys(name for point in study.points for name in point.products)),
                "loss_limit": comparison_figures.LOSS_LIMIT,
                "settings": _flat(study.settings),
                "about": lambda each, *classes: point_mark(study, each).attributes(*classes),
                "interval": lambda score, split: shown_interval(study.metric, score, study.scored.get(split)),
            },
            {"fronts": fronts_marks(study), "parallel": parallel_marks(study)},
        )


def _draw(study: Study) -> dict[str, Figure]:
    drawn = {}
    found = study.of_kind(FOUND)
    if study.trials or study.points:
        drawn["fronts"] = study_figures.fronts_figure(study)
    if found and chosen_parameters(study):
        drawn["parallel"] = parallel_figure(study)
    if any(point.products for point in found):
        drawn["choices"] = study_figures.choices_figure(found)
    if study.differences:
        drawn["agreement"] = study_figures.agreement_figure(study)
    if any(point.counters for point in study.points):
        drawn["counters"] = study_figures.counters_figure(found + study.of_kind(UNCOMPRESSED))
    if shown := _shown(study):
        drawn["timeline"] = timeline_figure(shown)
    if study.trials:
        drawn["progress"] = study_figures.progress_figure(study.trials, study.targets)
    if study.discretisation and study.discretisation.losses:
        drawn["losses"] = comparison_figures.losses_figure(study.discretisation)
    if study.discretisation and study.discretisation.progress:
        drawn["entropies"] = comparison_figures.entropies_figure(study.discretisation, study.metric)
    return drawn


def _shown(study: Study) -> Point | None:
    """Return the point whose timeline is shown: the recommended one, or the first that has one."""
    able = [point for point in study.of_kind(FOUND) if point.spans]
    return study.best if study.best in able else next(iter(able), None)


def _flat(settings: dict, prefix: str = "") -> dict[str, str]:
    """Give settings by dotted names."""
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = (
                value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            )
    return flat
