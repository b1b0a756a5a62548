"""Parallel coordinates: what candidates chose, and what they cost and scored, a line for each."""

from collections.abc import Sequence
from math import log, nan
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gatewright.reports.candidates import FOUND, Point, Trial
from gatewright.reports.study import Study
from gatewright.reports.style import INK, MUTED, OTHER, SPARSE, SURFACE, new_figure

_MOST = 9
"""Axes of choices that there is room for."""


def chosen_parameters(study: Study) -> list[str]:
    """Return the parameters that not all candidates chose alike, at most as many as there is room for."""
    candidates = [trial.candidate for trial in study.trials]
    candidates += [point.candidate for point in study.of_kind(FOUND)]
    names = dict.fromkeys(name for candidate in candidates for name in candidate)
    values = {name: {repr(each[name]) for each in candidates if name in each} for name in names}
    return [name for name in names if len(values[name]) > 1][:_MOST]


def parallel_figure(study: Study) -> Figure:
    """Draw a line for each trial, pale, and for each found point: choices, cycles, stored bits, validation score."""
    names, points = chosen_parameters(study), study.of_kind(FOUND)
    everything: list[Trial | Point] = [*study.trials, *points]
    figure = new_figure(3.9)
    axes = figure.add_subplot()
    scales = [
        *(_steps([each.candidate.get(name, nan) for each in everything]) for name in names),
        _logarithm([_cycles(each) for each in everything]),
        _logarithm([each.stored_bits for each in everything]),
        _linear([study.metric.quality(_score(each)) for each in everything]),
    ]
    for place, each in enumerate(everything):
        heights = [scale[place] for scale in scales]
        if isinstance(each, Trial):
            looks: dict[str, Any] = {"color": OTHER, "alpha": 0.45, "linewidth": 1, "zorder": 2}
            gid = f"trial-{each.number}"
        else:
            best = each.name == study.recommended
            looks = {"color": SPARSE, "linewidth": 3.2 if best else 1.8, "zorder": 4 if best else 3}
            gid = f"point-{each.name}"
        (line,) = axes.plot(range(len(heights)), heights, **looks)
        line.set_gid(gid)
    labels = [name.replace(".", "\n", 1) for name in names]
    labels += ["cycles\nper step", "stored\nbits", f"validation\n{study.metric.title}"]
    for at, name in enumerate(names):
        _name_steps(axes, at, [each.candidate.get(name, nan) for each in everything])
    costs = [_cycles(each) for each in everything], [each.stored_bits for each in everything]
    for at, found in enumerate(costs, len(names)):
        _name_ends(axes, at, f"{min(found):,.0f}", f"{max(found):,.0f}")
    scores = sorted((_score(each) for each in everything), key=study.metric.quality)
    _name_ends(
        axes, len(names) + 2, *(study.metric.show(each, unit=False) for each in (scores[0], scores[-1]))
    )
    axes.set_xticks(range(len(labels)), labels, color=INK, size=9)
    axes.set_yticks([])
    axes.set_xlim(-0.35, len(labels) - 0.65)
    axes.set_ylim(-0.12, 1.12)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    return figure


def _cycles(each: Trial | Point) -> float:
    return each.measured if isinstance(each, Point) else each.cycles


def _score(each: Trial | Point) -> float:
    return each.validation if isinstance(each, Point) else each.score


def _steps(values: Sequence[Any]) -> list[float]:
    """Spread different values evenly, in their order; a whole matrix, of rank None, comes last."""
    places = {repr(value): place for place, value in enumerate(_ordered(values))}
    return [places.get(repr(value), nan) / max(1, len(places) - 1) for value in values]


def _ordered(values: Sequence[Any]) -> list[Any]:
    different = {repr(value): value for value in values if value == value}

    def key(value: Any) -> tuple[int, float, str]:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return 2 if value is None else 0 if number else 1, value if number else 0.0, repr(value)

    return sorted(different.values(), key=key)


def _linear(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


def _logarithm(values: Sequence[float]) -> list[float]:
    return _linear([log(value) for value in values])


def _name_steps(axes: Axes, at: int, values: Sequence[Any]) -> None:
    ordered = _ordered(values)
    for place, value in enumerate(ordered):
        text = "whole" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)
        _name(axes, at, place / max(1, len(ordered) - 1), text)


def _name_ends(axes: Axes, at: int, low: str, high: str) -> None:
    _name(axes, at, -0.07, low, MUTED)
    _name(axes, at, 1.07, high, MUTED)


def _name(axes: Axes, x: float, y: float, text: str, colour: str = INK) -> None:
    label = axes.text(x, y, text, ha="center", va="center", color=colour, size=8, zorder=5)
    label.set_bbox({"facecolor": SURFACE, "edgecolor": "none", "pad": 1, "alpha": 0.8})
