"""Figures of what discretisation loses, of the thresholds, and of fronts found by cycles or a proxy."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from gatewright.reports.comparisons import Discretisation, Front
from gatewright.reports.formatting import percent
from gatewright.reports.metrics import Metric, score_label
from gatewright.reports.study_figures import draw_front, logarithmic, short
from gatewright.reports.style import (
    DENSE,
    INK,
    MODES,
    MUTED,
    OTHER,
    SPARSE,
    SURFACE,
    legend_above,
    new_figure,
    note,
)
from gatewright.reports.thresholds import Sweep

LOSS_LIMIT = 1.0
"""Points that discretisation may cost with the entropy losses on."""

_COSTS = {
    "cycles": ("found by cycles", SPARSE, "o"),
    "macs": ("found by multiply-accumulates", DENSE, "s"),
}
_LOSSES = {False: "without entropy losses", True: "with entropy losses"}
_WHAT = {"operations": "entropy of the operations", "edges": "entropy of the edges"}
"""Titles of what goes by epoch; the score has its own."""


def latency_figure(cases: Mapping[str, Mapping[str, Front]], metric: Metric) -> Figure:
    """Fronts in measured cycles, found by these and found by multiply-accumulates: a panel for each case."""
    columns = 3
    lines = -(-len(cases) // columns)
    figure = new_figure(0.8 + 2.3 * lines)
    panels = figure.subplots(lines, columns, squeeze=False).flat
    for (name, fronts), axes in zip(cases.items(), panels, strict=False):
        for cost, (label, colour, marker) in _COSTS.items():
            cycles, scores = zip(*fronts[cost], strict=True)
            axes.plot(cycles, scores, marker, color=colour, label=label, markeredgecolor=SURFACE)
            draw_front(axes, cycles, scores, metric, colour)
        logarithmic(axes, [cycles for front in fronts.values() for cycles, _ in front])
        if not metric.more_is_better:
            axes.invert_yaxis()
        axes.set_title(name.replace(": ", "\n"), loc="left", size=9)
    for axes in panels:
        axes.set_visible(False)
    figure.supxlabel("cycles per step on the RTL (logarithmic)", color=MUTED, size=10)
    figure.supylabel(score_label(metric, "validation"), color=MUTED, size=10)
    legend_above(figure, len(_COSTS))
    return figure


def losses_figure(found: Discretisation) -> Figure:
    """Score lost by discretisation without and with the entropy losses, for every N of n; baselines are marked."""
    settings = list(dict.fromkeys((kept, of) for kept, of, _ in found.losses))
    figure = new_figure(1.3 + 0.5 * len(settings))
    axes = figure.add_subplot()
    for entropy, colour, offset in (
        (False, DENSE, -0.17),
        (True, SPARSE, 0.17),
    ):
        for place, setting in enumerate(settings):
            if spread := found.losses.get((*setting, entropy)):
                axes.barh(place + offset, spread.median, 0.28, color=colour, label=_LOSSES[entropy])
                axes.plot([spread.low, spread.high], [place + offset] * 2, color=INK, linewidth=1.4)
                end = max(spread.high, spread.median)
                text = f"{spread.median:.2f}"
                label = note(axes, end, place + offset, text, (6, 0), va="center", color=INK, size=9)
                label.set_bbox({"facecolor": SURFACE, "edgecolor": "none", "pad": 1})
            for (how, losses), marker in zip(found.baselines.items(), "xD", strict=False):
                if baseline := losses.get((*setting, entropy)):
                    axes.plot(
                        baseline.median,
                        place + offset,
                        marker,
                        color=INK,
                        markersize=5,
                        label=how,
                        fillstyle="none",
                    )
    axes.axvline(LOSS_LIMIT, color=MUTED, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.set_xlabel(f"points lost, dashed: {LOSS_LIMIT:g}; bars: median over the seeds, strokes: range")
    axes.set_ylabel("kept, N of n")
    _name_lines(axes, [f"{kept} of {of}" for kept, of in settings])
    legend_above(figure, 2 + len(found.baselines))
    return figure


def entropies_figure(found: Discretisation, metric: Metric) -> Figure:
    """How the entropies and the score went by epoch, a line for every N of n."""
    kinds = list(dict.fromkeys(what for *_, what in found.progress))
    figure = new_figure(2.7)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, what in zip(panels, kinds, strict=True):
        for (entropy, *_, kind), curve in found.progress.items():
            if kind == what:
                colour, dashes = (SPARSE, "-") if entropy else (DENSE, (0, (4, 2)))
                label = _LOSSES[entropy]
                axes.plot(
                    *zip(*curve, strict=True), color=colour, linestyle=dashes, linewidth=1.3, label=label
                )
        axes.set_title(_WHAT.get(what, metric.title), loc="left", size=10)
        axes.set_xlabel("epoch")
    legend_above(figure, 2)
    return figure


def thresholds_figure(sweeps: Sequence[Sweep]) -> Figure:
    """Costs of both modes over the share of zeros, with the threshold: a column of panels for each shape."""
    shapes = list(dict.fromkeys(sweep.shape for sweep in sweeps))
    kinds = list(dict.fromkeys((sweep.of, sweep.cost) for sweep in sweeps))
    figure = new_figure(0.6 + 2.0 * len(kinds))
    panels = figure.subplots(len(kinds), len(shapes), squeeze=False, sharex="row")
    drawn = {(sweep.of, sweep.cost, sweep.shape): sweep for sweep in sweeps}
    for line, (of, cost) in zip(panels, kinds, strict=True):
        for axes, shape in zip(line, shapes, strict=True):
            if sweep := drawn.get((of, cost, shape)):
                _sweep(axes, sweep)
            else:
                axes.set_visible(False)
        line[0].set_ylabel("stored bits" if cost == "bits" else "cycles per step")
    for axes, shape in zip(panels[0], shapes, strict=True):
        axes.set_title(shape, loc="left", size=10)
    legend_above(figure, 3)
    return figure


def _sweep(axes: Axes, sweep: Sweep) -> None:
    for mode, curve in sweep.curves.items():
        marker = "o" if mode == "sparse" else "s"
        axes.plot(
            *zip(*curve, strict=True),
            color=MODES.get(mode, OTHER),
            marker=marker,
            markersize=3.5,
            linewidth=1.4,
            label=mode,
        )
    if sweep.threshold is not None:
        axes.axvline(sweep.threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label="threshold")
        text = percent(round(sweep.threshold, 3))
        side = {"ha": "left"} if sweep.threshold < 0.6 else {"ha": "right"}
        away = 4 if sweep.threshold < 0.6 else -4
        label = note(axes, sweep.threshold, 0.06, text, (away, 0), color=INK, size=9, **side)
        label.xycoords = axes.get_xaxis_transform()
    axes.set_ylim(0, 1.1 * max(cost for curve in sweep.curves.values() for _, cost in curve))
    axes.set_xlim(-0.03, 1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda cost, _: short(cost)))
    axes.set_xlabel(f"zeros among the {sweep.of}")


def _name_lines(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
