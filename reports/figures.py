"""The figures of a report, each a function from checked figures of a run to a matplotlib `Figure`."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from gatewright.reports.counters import ACTIVITY
from gatewright.reports.run import Compression, Key, Simulation, Training
from gatewright.reports.style import DENSE, INK, MUTED, OTHER, PARTS, SPARSE, SURFACE, new_figure

_MODE_COLOURS = {"dense": DENSE, "sparse": SPARSE}
_BAR = 0.62
_THIN = 0.18


def percent(share: float) -> str:
    """Write a share as a percentage without needless digits: 0.125 becomes ``12.5 %``."""
    return f"{100 * share:.4g}\N{NO-BREAK SPACE}%"


def accuracy_figure(compression: Compression, training: Training | None) -> Figure:
    """Accuracy on the test split against density, with the float model and the baseline as lines."""
    figure = new_figure(4.0)
    axes = figure.add_subplot()
    densities = sorted(compression.accuracy)
    accuracies = [compression.accuracy[density] for density in densities]
    axes.set_xscale("log", base=2)
    axes.plot(
        densities, accuracies, marker="o", color=SPARSE, markeredgecolor=SURFACE, zorder=3, clip_on=False
    )
    for density, accuracy in zip(densities, accuracies, strict=True):
        note = _note(axes, density, accuracy, f"{accuracy:.2f}", (0, -17), ha="center", color=INK, zorder=4)
        note.set_bbox({"facecolor": SURFACE, "edgecolor": "none", "pad": 1})
    right = densities[-1] * 1.25
    references = (
        [("float", training.float_accuracy), ("baseline", training.baseline_accuracy)] if training else []
    )
    levels = {name: value for name, value in references if value is not None}
    for name, value in levels.items():
        axes.axhline(value, color=MUTED, linewidth=1.2, linestyle=(0, (5, 3)))
        _note(axes, right, value, f"{name} {value:.2f}", (6, 0), va="center", color=MUTED)
    low, high = min([*accuracies, *levels.values()]), max([*accuracies, *levels.values()])
    margin = max(high - low, 0.5) * 0.22
    axes.set_ylim(max(low - margin, -2), min(high + margin, 102))
    axes.set_xlim(densities[0] / 1.25, right)
    axes.xaxis.set_major_locator(FixedLocator(densities))
    axes.xaxis.set_major_formatter(FixedFormatter([percent(density) for density in densities]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("density: share of weights kept (logarithmic)")
    axes.set_ylabel("test accuracy, percent")
    return figure


def training_figure(training: Training) -> Figure:
    """Validation accuracy of the float model by epoch."""
    figure = new_figure(2.6)
    axes = figure.add_subplot()
    epochs, accuracies = zip(*training.progress, strict=True)
    axes.plot(epochs, accuracies, color=DENSE, marker="o" if len(epochs) == 1 else None)
    _note(axes, epochs[-1], accuracies[-1], f"{accuracies[-1]:.2f}", (5, 0), va="center", color=INK)
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation accuracy, percent")
    return figure


def cycles_figure(simulation: Simulation) -> Figure:
    """Cycles per step of every density and mode, with the ideal of lanes that never idle."""
    executions = simulation.executions
    figure = new_figure(1.1 + 0.42 * len(executions))
    axes = figure.add_subplot()
    longest = max(execution.cycles_per_step for execution in executions.values())
    for place, ((_, mode), execution) in enumerate(executions.items()):
        cycles = execution.cycles_per_step
        axes.barh(place, cycles, _BAR, color=_MODE_COLOURS.get(mode, OTHER))
        label = f"{cycles:,.1f}"
        if execution.ideal is not None:
            axes.plot([execution.ideal] * 2, [place - 0.42, place + 0.42], color=INK, linewidth=2)
            label += f"   ideal {execution.ideal:,.1f}"
        _note(axes, cycles, place, label, (7, 0), va="center", color=INK)
    _name_bars(axes, executions)
    axes.set_xlim(0, longest * 1.3 or 1)
    axes.set_xlabel("clock cycles per time step; the mark is the ideal, non-zeros / lanes")
    return figure


def activity_figure(simulation: Simulation) -> Figure:
    """Cycles per step as pale bars; inside each, thin bars of the cycles in which the units work."""
    executions = simulation.executions
    figure = new_figure(1.5 + 0.46 * len(executions))
    axes = figure.add_subplot()
    for place, ((_, mode), execution) in enumerate(executions.items()):
        cycles = execution.cycles_per_step
        axes.barh(place, cycles, _BAR, color=_MODE_COLOURS.get(mode, OTHER), alpha=0.22)
        _note(axes, cycles, place, f"{cycles:,.1f}", (7, 0), va="center", color=INK)
    for index, (counter, name) in enumerate(ACTIVITY.items()):
        middle = (index - (len(ACTIVITY) - 1) / 2) * 1.5 * _THIN
        places = [place + middle for place in range(len(executions))]
        widths = [execution.counters.get(counter, 0) for execution in executions.values()]
        axes.barh(places, widths, _THIN, color=PARTS[index], label=name)
    _name_bars(axes, executions)
    longest = max(execution.cycles_per_step for execution in executions.values())
    axes.set_xlim(0, longest * 1.14 or 1)
    axes.set_xlabel("clock cycles per time step (pale); those in which a unit works (thin)")
    _legend_above(figure, len(ACTIVITY))
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
                _note(
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
        _note(axes, total, place, f"{total:,.1f}", (7, 0), va="center", color=INK)
    _name_bars(axes, storage)
    axes.set_xlim(0, max(totals) * 1.14 or 1)
    axes.set_xlabel("stored bits, thousands (indices, biases, program and padding included)")
    _legend_above(figure, len(names))
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
        colour = _MODE_COLOURS.get(mode, OTHER)
        axes.barh(list(found), list(found.values()), 0.9 * thickness, color=colour, label=mode)
        for place, share in found.items():
            _note(axes, share, place, f"{share:.1f}", (5, 0), va="center", color=INK, size=9)
    axes.set_yticks(range(len(shares)), list(shares), color=INK)
    axes.set_ylim(len(shares) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 108)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("percent of all lanes and cycles that multiply by a true non-zero weight")
    _legend_above(figure, len(modes))
    return figure


def _legend_above(figure: Figure, count: int) -> None:
    figure.legend(
        loc="outside upper left",
        ncols=min(count, 5),
        frameon=False,
        handlelength=1,
        handleheight=1,
        columnspacing=1.4,
        labelcolor=INK,
    )


def _name_bars(axes: Axes, keys) -> None:
    axes.set_yticks(range(len(keys)), [f"{percent(density)}, {mode}" for density, mode in keys], color=INK)
    axes.set_ylim(len(keys) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.set_ylabel("density, mode")


def _note(axes: Axes, x: float, y: float, text: str, offset: tuple[int, int], **looks) -> Annotation:
    """Write a label at a point of the data, moved by an offset in points."""
    return axes.annotate(text, (x, y), offset, textcoords="offset points", annotation_clip=False, **looks)
