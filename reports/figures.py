"""The figures of a report, each a function from checked figures of a run to a matplotlib `Figure`."""

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from gatewright.reports.counters import ACTIVITY
from gatewright.reports.formatting import percent
from gatewright.reports.intervals import Interval, interval
from gatewright.reports.metrics import Metric, score_label
from gatewright.reports.run import Key, Model, Simulation, Training
from gatewright.reports.style import (
    DENSE,
    INK,
    MODES,
    MUTED,
    OTHER,
    PARTS,
    SPARSE,
    SURFACE,
    legend_above,
    new_figure,
    note,
)

_BAR = 0.62

_PATTERNS = {
    "equal": "balanced, equal counts",
    "contribution": "balanced, counts by contribution",
    "unstructured": "unstructured",
}


def scores_figure(
    models: Sequence[Model], training: Training | None, metric: Metric, positions: float | None = None
) -> Figure:
    """Score on the test split of every model that has one, with the float model and the baseline as lines.

    Against density, where all models have one of their own; else by name. Bars are 95 % intervals, of an accuracy where
    the number of positions is known that it is taken over.
    """
    shown = [model for model in models if model.score is not None]
    references = [("float", training.float_score), ("baseline", training.baseline_score)] if training else []
    levels = {name: value for name, value in references if value is not None}
    if all(model.density for model in shown) and 1 < len({model.density for model in shown}) == len(shown):
        return _scores_by_density(shown, levels, metric, positions)
    return _scores_by_name(shown, levels, metric, positions)


def _scores_by_density(
    models: Sequence[Model], levels: Mapping[str, float], metric: Metric, positions: float | None
) -> Figure:
    figure = new_figure(4.0)
    axes = figure.add_subplot()
    models = sorted(models, key=lambda model: (model.density or 0, model.score or 0))
    found = [(model.density or 0, model.score or 0) for model in models]
    densities, scores = [density for density, _ in found], [score for _, score in found]
    axes.set_xscale("log", base=2)
    axes.plot(densities, scores, marker="o", color=SPARSE, markeredgecolor=SURFACE, zorder=3, clip_on=False)
    bars = _bars(models, metric, positions)
    for density, bar in zip(densities, bars, strict=True):
        if bar:
            axes.plot([density, density], bar, color=SPARSE, linewidth=1.2, label="_interval")
    for density, score in found:
        text = metric.show(score, unit=False)
        label = note(axes, density, score, text, (6, -13), ha="left", color=INK, zorder=4)
        label.set_bbox({"facecolor": SURFACE, "edgecolor": "none", "pad": 1})
    right = densities[-1] * 1.25
    for name, value in levels.items():
        axes.axhline(value, color=MUTED, linewidth=1.2, linestyle=(0, (5, 3)))
        text = f"{name} {metric.show(value, unit=False)}"
        note(axes, right, value, text, (6, 0), va="center", color=MUTED)
    axes.set_ylim(*_limits([*scores, *levels.values(), *(end for bar in bars if bar for end in bar)], metric))
    axes.set_xlim(densities[0] / 1.25, right)
    _name_densities(axes, densities)
    axes.set_ylabel(score_label(metric, "test"))
    return figure


def _scores_by_name(
    models: Sequence[Model], levels: Mapping[str, float], metric: Metric, positions: float | None
) -> Figure:
    figure = new_figure(1.4 + 0.36 * len(models))
    axes = figure.add_subplot()
    scores = [model.score or 0 for model in models]
    axes.plot(scores, range(len(models)), "o", color=SPARSE, markeredgecolor=SURFACE, zorder=3)
    bars = _bars(models, metric, positions)
    for place, bar in enumerate(bars):
        if bar:
            axes.plot(bar, [place, place], color=SPARSE, linewidth=1.2, label="_interval")
    for place, score in enumerate(scores):
        label = note(
            axes, score, place, metric.show(score, unit=False), (0, 9), ha="center", color=INK, zorder=4
        )
        label.set_bbox({"facecolor": SURFACE, "edgecolor": "none", "pad": 1})
    for name, value in levels.items():
        axes.axvline(value, color=MUTED, linewidth=1.2, linestyle=(0, (5, 3)))
        text = f"{name} {metric.show(value, unit=False)}"
        # The labels of two lines that lie close to each other point away from each other.
        side = "center" if len(levels) == 1 else "right" if value == min(levels.values()) else "left"
        note(axes, value, -0.55, text, (0, 4), ha=side, color=MUTED)
    _name_bars(axes, [model.name for model in models])
    axes.set_xlim(*_limits([*scores, *levels.values(), *(end for bar in bars if bar for end in bar)], metric))
    axes.set_xlabel(score_label(metric, "test"))
    return figure


def _bars(models: Sequence[Model], metric: Metric, positions: float | None) -> list[Interval | None]:
    return [interval(metric, model.score, positions, model.intervals.get("test")) for model in models]


def _limits(scores: Sequence[float], metric: Metric) -> tuple[float, float]:
    low, high = min(scores), max(scores)
    margin = max(high - low, 0.5 if metric.unit == "percent" else 0.02 * abs(high) or 0.05) * 0.22
    top = high + margin
    return low - margin, min(top, 102.0) if metric.unit == "percent" else top


def patterns_figure(patterns: Mapping[str, Mapping[float, float]], metric: Metric) -> Figure:
    """Score on the test split against density, a curve for each kind of pattern."""
    figure = new_figure(3.4)
    axes = figure.add_subplot()
    axes.set_xscale("log", base=2)
    for index, (columns, scores) in enumerate(patterns.items()):
        densities = sorted(scores)
        axes.plot(
            densities,
            [scores[density] for density in densities],
            marker="os^"[index % 3],
            color=PARTS[index % len(PARTS)],
            label=_PATTERNS.get(columns, columns),
        )
    _name_densities(axes, sorted({density for scores in patterns.values() for density in scores}))
    axes.set_ylabel(score_label(metric, "test"))
    legend_above(figure, len(patterns))
    return figure


def training_figure(training: Training, metric: Metric) -> Figure:
    """Validation score of the float model by epoch."""
    figure = new_figure(2.6)
    axes = figure.add_subplot()
    epochs, scores = zip(*training.progress, strict=True)
    axes.plot(epochs, scores, color=DENSE, marker="o" if len(epochs) == 1 else None)
    last = metric.show(scores[-1], unit=False)
    note(axes, epochs[-1], scores[-1], last, (5, 0), va="center", color=INK)
    axes.set_xlabel("epoch")
    axes.set_ylabel(score_label(metric, "validation"))
    return figure


def cycles_figure(simulation: Simulation) -> Figure:
    """Cycles per step of every model and mode, with the ideal of lanes that never idle."""
    executions = simulation.executions
    figure = new_figure(1.1 + 0.42 * len(executions))
    axes = figure.add_subplot()
    longest = max(execution.cycles_per_step for execution in executions.values())
    for place, ((_, mode), execution) in enumerate(executions.items()):
        cycles = execution.cycles_per_step
        axes.barh(place, cycles, _BAR, color=MODES.get(mode, OTHER))
        label = f"{cycles:,.1f}"
        if execution.ideal is not None:
            axes.plot([execution.ideal] * 2, [place - 0.42, place + 0.42], color=INK, linewidth=2)
            label += f"   ideal {execution.ideal:,.1f}"
        note(axes, cycles, place, label, (7, 0), va="center", color=INK)
    _name_bars(axes, bar_names(executions))
    axes.set_ylabel("model, mode")
    axes.set_xlim(0, longest * 1.3 or 1)
    axes.set_xlabel("clock cycles per time step; the mark is the ideal: all lanes busy with non-zeros")
    return figure


def activity_figure(simulation: Simulation) -> Figure:
    """Cycles per step as pale bars; inside each, thin bars of the cycles in which the units work."""
    executions = simulation.executions
    figure = activity_bars(
        bar_names(executions),
        [execution.cycles_per_step for execution in executions.values()],
        [MODES.get(mode, OTHER) for _, mode in executions],
        {
            name: [execution.counters.get(counter, 0) for execution in executions.values()]
            for counter, name in ACTIVITY.items()
        },
    )
    figure.axes[0].set_ylabel("model, mode")
    return figure


def activity_bars(
    names: Sequence[str],
    cycles: Sequence[float],
    colours: Sequence[str],
    parts: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw cycles per step as pale bars; inside each, thin bars of what overlaps and does not add up to it.

    Parameters
    ----------
    names, cycles, colours : sequences
        Of each bar.
    parts : dict of sequences
        Cycles of each bar, by labels of what happens in them.
    """
    thin = 0.5 / (1.5 * max(2, len(parts)) - 0.5)
    figure = new_figure(1.5 + 0.46 * max(1, len(parts) / 3) * len(names))
    axes = figure.add_subplot()
    for place, (total, colour) in enumerate(zip(cycles, colours, strict=True)):
        axes.barh(place, total, _BAR, color=colour, alpha=0.22)
        note(axes, total, place, f"{total:,.1f}", (7, 0), va="center", color=INK)
    for index, (name, widths) in enumerate(parts.items()):
        middle = (index - (len(parts) - 1) / 2) * 1.5 * thin
        places = [place + middle for place in range(len(names))]
        axes.barh(places, widths, thin, color=PARTS[index % len(PARTS)], label=name)
    _name_bars(axes, names)
    axes.set_xlim(0, max(cycles) * 1.14 or 1)
    axes.set_xlabel("clock cycles per time step (pale); those in which a unit works or waits (thin)")
    legend_above(figure, len(parts))
    return figure


def storage_figure(storage: dict[Key, dict[str, float]]) -> Figure:
    """Bits that each compiled model stores, stacked by memory."""
    figure = new_figure(1.5 + 0.42 * len(storage))
    axes = figure.add_subplot()
    names = list(dict.fromkeys(name for parts in storage.values() for name in parts))
    totals = [sum(parts.values()) / 1000 for parts in storage.values()]
    lefts = [0.0] * len(storage)
    for index, name in enumerate(names):
        widths = [parts.get(name, 0) / 1000 for parts in storage.values()]
        colour = PARTS[index % len(PARTS)]
        axes.barh(
            range(len(storage)),
            widths,
            _BAR,
            lefts,
            color=colour,
            label=name,
            edgecolor=SURFACE,
            linewidth=1.2,
        )
        for place, (left, width) in enumerate(zip(lefts, widths, strict=True)):
            if width > 0.09 * max(totals):
                note(
                    axes,
                    left + width / 2,
                    place,
                    f"{width:,.1f}",
                    (0, 0),
                    ha="center",
                    va="center",
                    color=SURFACE,
                    size=9,
                )
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    for place, total in enumerate(totals):
        note(axes, total, place, f"{total:,.1f}", (7, 0), va="center", color=INK)
    _name_bars(axes, bar_names(storage))
    axes.set_ylabel("model, mode")
    axes.set_xlim(0, max(totals) * 1.14 or 1)
    axes.set_xlabel("stored bits, thousands (indices, biases, program and padding included)")
    legend_above(figure, len(names))
    return figure


def busy_figure(shares: dict[str, dict[str, float]]) -> Figure:
    """Share of lanes busy on true non-zeros.

    Parameters
    ----------
    shares : dict
        Percent of the multiply-accumulates that the lanes could have done, by model and by mode.
    """
    modes = list(dict.fromkeys(mode for each in shares.values() for mode in each))
    figure = new_figure(1.5 + 0.5 * len(shares))
    axes = figure.add_subplot()
    thickness = 0.76 / len(modes)
    for index, mode in enumerate(modes):
        middle = (index - (len(modes) - 1) / 2) * thickness
        found = {place + middle: each[mode] for place, each in enumerate(shares.values()) if mode in each}
        colour = MODES.get(mode, OTHER)
        axes.barh(list(found), list(found.values()), 0.9 * thickness, color=colour, label=mode)
        for place, share in found.items():
            note(axes, share, place, f"{share:.1f}", (5, 0), va="center", color=INK, size=9)
    _name_bars(axes, list(shares))
    axes.set_xlim(0, 108)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("percent of all lanes and cycles that multiply by a true non-zero weight")
    legend_above(figure, len(modes))
    return figure


def bar_names(keys: Iterable[Key]) -> list[str]:
    """Name compiled models by name and mode."""
    return [f"{model}, {mode}" for model, mode in keys]


def _name_densities(axes: Axes, densities: Sequence[float]) -> None:
    axes.xaxis.set_major_locator(FixedLocator(densities))
    axes.xaxis.set_major_formatter(FixedFormatter([percent(density) for density in densities]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("density: share of weights kept (logarithmic)")


def _name_bars(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
