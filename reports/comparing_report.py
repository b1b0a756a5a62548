"""A comparison of runs becomes one HTML file."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from gatewright.reports.comparing import Compared, Comparison, read_comparison
from gatewright.reports.intervals import interval, shown_interval
from gatewright.reports.marks import Mark, marked
from gatewright.reports.metrics import score_label
from gatewright.reports.page import environment
from gatewright.reports.study_figures import logarithmic
from gatewright.reports.style import (
    PARTS,
    SURFACE,
    inline_svg,
    legend_above,
    new_figure,
    style,
    theme_css,
    to_svg,
)
from gatewright.storage import write_text

_NAME = "comparison"


def write_comparison(folders: Sequence[Path], path: Path) -> Path:
    """Write a page with the models of several runs and studies side by side; returns its path.

    Raises
    ------
    RunFolderError
        A folder comes twice, holds no rows, or an entry is malformed.
    """
    found = read_comparison(folders)
    with style():
        drawn = _draw(found)
        figures = {}
        if drawn is not None:
            figures[_NAME] = Markup(inline_svg(marked(to_svg(drawn), _marks(found)), _NAME))
    page = (
        environment()
        .get_template("comparing.html")
        .render(
            comparison=found,
            figures=figures,
            theme=Markup(theme_css()),
            interval=lambda model: shown_interval(model.metric, model.score, model.positions, model.interval),
        )
    )
    write_text(path, page)
    return path


def _shown(found: Comparison, name: str) -> list[Compared]:
    return [each for each in found.models if each.run == name and each.score is not None and each.cycles]


def _draw(found: Comparison) -> Figure | None:
    """Draw scores against cycles, a colour for each run; None where metrics differ or nothing was scored."""
    shown = {name: _shown(found, name) for name in found.names if _shown(found, name)}
    if found.metric is None or not shown:
        return None
    figure = new_figure(3.8)
    axes = figure.add_subplot()
    for place, (name, models) in enumerate(shown.items()):
        colour = PARTS[place % len(PARTS)]
        cycles, scores = [model.cycles or 0 for model in models], [model.score or 0 for model in models]
        for model, at in zip(models, cycles, strict=True):
            if bar := interval(model.metric, model.score, model.positions, model.interval):
                axes.plot([at, at], bar, color=colour, linewidth=1, alpha=0.6)
        (line,) = axes.plot(
            cycles,
            scores,
            "os^Dv"[place % 5],
            color=colour,
            markeredgecolor=SURFACE,
            label=name,
        )
        line.set_gid(f"run-{found.names.index(name)}")
    logarithmic(axes, [model.cycles or 0 for models in shown.values() for model in models])
    if not found.metric.more_is_better:
        axes.invert_yaxis()
    axes.set_xlabel("cycles per step (logarithmic)")
    axes.set_ylabel(score_label(found.metric, "test"))
    legend_above(figure, len(shown))
    return figure


def _marks(found: Comparison) -> dict[str, list[Mark]]:
    def mark(model: Compared) -> Mark:
        score = f"{model.metric.title} {model.metric.show(model.score)}"
        return Mark(f"{model.label}: {score}, {model.cycles:,.1f} cycles per step")

    shown = {place: _shown(found, name) for place, name in enumerate(found.names)}
    return {f"run-{place}": [mark(model) for model in models] for place, models in shown.items() if models}
