"""The figures of a report, each a function from checked figures of a run to a matplotlib `Figure`."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from gatewright.reports.run import Compression, Key, Simulation, Training
from gatewright.reports.style import DENSE, INK, MUTED, PARTS, REST, SPARSE, SURFACE, new_figure

_MODE_COLOURS = {"dense": DENSE, "sparse": SPARSE}
_BAR = 0.62

COUNTER_NAMES = {
    "matrix": "matrix engine",
    "drain": "drain and cell unit",
    "input_wait": "waiting for input",
    "output_wait": "waiting for output",
}
"""Words for the accelerator's performance counters; others go by their own name."""

REST_NAME = "none of these"
"""Name of the cycles that no counter claims."""


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
        axes.barh(place, cycles, _BAR, color=_MODE_COLOURS.get(mode, REST))
        label = f"{cycles:,.1f}"
        if execution.ideal is not None:
            axes.plot([execution.ideal] * 2, [place - 0.42, place + 0.42], color=INK, linewidth=2)
            label += f"   ideal {execution.ideal:,.1f}"
        _note(axes, cycles, place, label, (7, 0), va="center", color=INK)
    _name_bars(axes, executions)
    axes.set_xlim(0, longest * 1.3 or 1)
    axes.set_xlabel("clock cycles per time step; the mark is the ideal, non-zeros / lanes")
    return figure


def breakdown(simulation: Simulation) -> dict[Key, dict[str, float]]:
    """Split the cycles of a step by performance counter; the rest is what no counter claims."""
    bars = {}
    for key, execution in simulation.executions.items():
        if execution.total is not None:
            parts = {COUNTER_NAMES.get(name, name): cycles for name, cycles in execution.counters.items()}
            # Units may work at the same time; then their cycles add up to more than the total.
            bars[key] = parts | {REST_NAME: max(execution.total - sum(parts.values()), 0)}
    return bars


def breakdown_figure(bars: dict[Key, dict[str, float]]) -> Figure:
    """Where the cycles of a step go, as `breakdown` gives them."""
    return _stacked(bars, "clock cycles per time step", "{:,.1f}")


def storage_figure(storage: dict[Key, dict[str, float]]) -> Figure:
    """Bits that each compiled model stores, by memory."""
    bars = {key: {name: bits / 1000 for name, bits in parts.items()} for key, parts in storage.items()}
    return _stacked(bars, "stored bits, thousands (indices, biases, program and padding included)", "{:,.1f}")


def _stacked(bars: dict[Key, dict[str, float]], unit: str, form: str) -> Figure:
    """Draw one stacked bar for each key; parts keep their colour in all bars and are named above."""
    figure = new_figure(1.5 + 0.42 * len(bars))
    axes = figure.add_subplot()
    names = list(dict.fromkeys(name for parts in bars.values() for name in parts))
    longest = max((sum(parts.values()) for parts in bars.values()), default=1)
    for index, name in enumerate(names):
        colour = REST if name == REST_NAME else PARTS[index % len(PARTS)]
        lefts = [sum(parts.get(before, 0) for before in names[:index]) for parts in bars.values()]
        widths = [parts.get(name, 0) for parts in bars.values()]
        axes.barh(
            range(len(bars)), widths, _BAR, lefts, color=colour, label=name, edgecolor=SURFACE, linewidth=1.2
        )
        for place, (left, width) in enumerate(zip(lefts, widths, strict=True)):
            if width > 0.09 * longest:
                axes.text(
                    left + width / 2,
                    place,
                    form.format(width),
                    ha="center",
                    va="center",
                    color=SURFACE,
                    size=9,
                )
    for place, parts in enumerate(bars.values()):
        total = sum(parts.values())
        _note(axes, total, place, form.format(total), (7, 0), va="center", color=INK)
    _name_bars(axes, bars)
    axes.set_xlim(0, longest * 1.14 or 1)
    axes.set_xlabel(unit)
    figure.legend(
        loc="outside upper left",
        ncols=min(len(names), 5),
        frameon=False,
        handlelength=1,
        handleheight=1,
        columnspacing=1.4,
        labelcolor=INK,
    )
    return figure


def _name_bars(axes: Axes, keys) -> None:
    axes.set_yticks(range(len(keys)), [f"{percent(density)}, {mode}" for density, mode in keys], color=INK)
    axes.set_ylim(len(keys) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.set_ylabel("density, mode")


def _note(axes: Axes, x: float, y: float, text: str, offset: tuple[int, int], **looks) -> Annotation:
    """Write a label at a point of the data, moved by an offset in points."""
    return axes.annotate(text, (x, y), offset, textcoords="offset points", annotation_clip=False, **looks)
