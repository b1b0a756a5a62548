"""Figures of one study: its trials and its front."""

from collections.abc import Sequence
from itertools import accumulate
from math import ceil, inf
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gatewright.reports.candidates import FOUND, UNCOMPRESSED, UNIFORM, Point, Target, Trial
from gatewright.reports.counters import AHEAD, cycle_labels
from gatewright.reports.figures import activity_bars
from gatewright.reports.formatting import percent
from gatewright.reports.intervals import interval
from gatewright.reports.metrics import Metric, score_label
from gatewright.reports.study import Study
from gatewright.reports.style import (
    BAD,
    DENSE,
    INK,
    MUTED,
    SPARSE,
    STEPS,
    SURFACE,
    legend_above,
    new_figure,
    note,
)

LOOKS: dict[str, dict[str, Any]] = {
    FOUND: {"label": "found", "marker": "o", "color": SPARSE, "markersize": 7},
    UNIFORM: {"label": "set by hand, uniform", "marker": "s", "color": DENSE, "markersize": 6},
    UNCOMPRESSED: {"label": "uncompressed, 8 bits", "marker": "D", "color": INK, "markersize": 7},
}
"""How each kind of finished point is drawn."""

_GOALS: dict[str, dict[str, Any]] = {
    "aim": {"label": "aim", "color": MUTED, "linewidth": 1.2, "linestyle": (0, (5, 3))},
    "target": {"label": "target", "color": MUTED, "linewidth": 1.2, "linestyle": (0, (5, 3))},
    "limit": {"label": "limit", "color": BAD, "linewidth": 1.2, "linestyle": (0, (1, 1.5))},
}
"""How each kind of goal is drawn."""

_CELL = 0.36

_POINTS = 72
"""Typographic points of an inch."""

_NAME_SIZE = 16, 10
"""About the width and height of a point's name, in typographic points."""

_PLACES = ((-4, 6, "right"), (4, -12, "left"), (4, 6, "left"), (-4, -12, "right"))
"""Where a name may be, the best first: typographic points from its point, and which of its ends is there."""

_FEW = 12
"""Points that there is room for beside each other."""


def fronts_figure(study: Study) -> Figure:
    """The score against cycles per step and against stored bits: quick trials, and finished points of each kind."""
    figure = new_figure(4.9)
    left, right = figure.subplots(1, 2, sharey=True)
    costs = (
        (left, "cycles per step (logarithmic)", lambda each: each.cycles, lambda each: each.measured),
        (right, "stored bits (logarithmic)", lambda each: each.stored_bits, lambda each: each.stored_bits),
    )
    names: list[tuple[Axes, list[tuple[float, float, str]]]] = []
    for axes, label, cost_of_trial, cost_of_point in costs:
        panel = "cycles" if axes is left else "bits"
        for turn, (name, colour, trials) in enumerate(rounds(study.trials)):
            scores = [trial.score for trial in trials]
            dots = axes.scatter(
                [cost_of_trial(trial) for trial in trials], scores, 16, colour, label=name, linewidths=0
            )
            dots.set_gid(f"{panel}-trials-{turn}")
        for kind, looks in LOOKS.items():
            points = sorted(study.of_kind(kind), key=cost_of_point)
            if points:
                costs_of_points = [cost_of_point(point) for point in points]
                scores = [point.validation for point in points]
                (drawn,) = axes.plot(
                    costs_of_points, scores, markeredgecolor=SURFACE, linestyle="none", zorder=3, **looks
                )
                drawn.set_gid(f"{panel}-{kind}")
                _error_bars(axes, study, costs_of_points, scores, looks["color"])
                if kind == FOUND:
                    front = draw_front(axes, costs_of_points, scores, study.metric, SPARSE)
                    _hollow(
                        axes,
                        panel,
                        [(costs_of_points[k], scores[k]) for k in range(len(points)) if k not in front],
                    )
                    named = range(len(points)) if len(points) <= _FEW else front
                    names.append((axes, [(costs_of_points[k], scores[k], points[k].name) for k in named]))
        shown = [cost_of_trial(t) for t in study.trials] + [cost_of_point(p) for p in study.points]
        goals = [goal for goal in study.goals if goal.what == ("cycles" if axes is left else "bits")]
        logarithmic(axes, shown + [goal.value for goal in goals])
        for goal in goals:
            axes.axvline(goal.value, **_GOALS[goal.kind])
        for goal in study.goals:
            if goal.what == "score":
                axes.axhline(goal.value, **_GOALS[goal.kind])
        axes.set_xlabel(label)
    _limit_scores(left, study)
    for axes, named_points in names:
        _name(axes, named_points)
    left.set_ylabel(score_label(study.metric, "validation"))
    legend_above(figure, 4)
    return figure


def _name(axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Write each name where it touches no other, or not at all: pointing tells it too; limits are set before."""
    width, height = _NAME_SIZE
    taken: list[tuple[float, float]] = []
    for cost, score, name in points:
        x, y = axes.transData.transform((cost, score)) * _POINTS / axes.figure.dpi
        for right, up, end in _PLACES:
            left, low = x + right - (width if end == "right" else 0), y + up
            if all(abs(left - other) >= width or abs(low - below) >= height for other, below in taken):
                taken.append((left, low))
                note(axes, cost, score, name, (right, up), ha=end, color=INK, size=8)
                break


def _hollow(axes: Axes, panel: str, beaten: Sequence[tuple[float, float]]) -> None:
    """Draw the found points that a cheaper one equals as rings, as the stairs may run through them."""
    if beaten:
        looks: dict[str, Any] = {"color": SURFACE, "markersize": 4, "linestyle": "none", "zorder": 4}
        (rings,) = axes.plot(*zip(*beaten, strict=True), "o", label="_beaten", **looks)
        rings.set_gid(f"{panel}-beaten")


def _error_bars(
    axes: Axes, study: Study, costs: Sequence[float], scores: Sequence[float], colour: str
) -> None:
    """Draw the 95 % interval of each score that has one."""
    for cost, score in zip(costs, scores, strict=True):
        if found := interval(study.metric, score, study.scored.get("validation")):
            axes.plot([cost, cost], found, color=colour, linewidth=1, alpha=0.5, zorder=1, label="_interval")


def choices_figure(points: Sequence[Point]) -> Figure:
    """Rank, bits and density of every product of every point, the deeper in colour the larger."""
    products = list(dict.fromkeys(name for point in points for name in point.products))
    figure = new_figure(1.0 + 3 * (0.35 + _CELL * len(products)))
    panels = figure.subplots(3, 1, sharex=True)
    crowded = len(points) > _FEW
    for axes, kind in zip(panels, ("rank", "bits", "density"), strict=True):
        chosen = [[point.products.get(name, {}).get(kind) for point in points] for name in products]
        # A whole matrix, of rank 0 in the rows, is more than any rank.
        largest = max((value for line in chosen for value in line if value), default=1)
        for y, line in enumerate(chosen):
            for x, value in enumerate(line):
                if value is not None:
                    share = value / largest
                    if kind == "rank":
                        share = 0.7 * share if value else 1.0
                    axes.barh(y, 1, 1, x - 0.5, color=DENSE, alpha=0.08 + 0.5 * share, linewidth=0)
                    text = f"{100 * value:.0f}" if crowded and kind == "density" else _choice(kind, value)
                    size = 7 if crowded else 9
                    axes.text(x, y, text, ha="center", va="center", color=INK, size=size)
        axes.set_yticks(range(len(products)), products, color=INK)
        axes.set_ylim(len(products) - 0.5, -0.5)
        density = f"density: {'percent' if crowded else 'share'} of weights kept"
        axes.set_title(density if kind == "density" else kind, loc="left", size=10)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
    panels[-1].set_xticks(range(len(points)), [point.name for point in points], color=INK)
    panels[-1].set_xlim(-0.5, len(points) - 0.5)
    panels[-1].set_xlabel("found point, from few to many cycles")
    return figure


def agreement_figure(study: Study) -> Figure:
    """Predicted against measured cycles of all that was measured; what does not lie on the diagonal is crossed red."""
    figure = new_figure(3.6)
    axes = figure.add_subplot()
    trials = [(trial.predicted, trial.measured) for trial in study.trials if trial.measured is not None]
    points = [(point.predicted, point.measured) for point in study.points]
    both = trials + points
    kinds: tuple[tuple[list[tuple[float, float]], str, dict[str, Any]], ...] = (
        (trials, "trials", {"color": STEPS[2], "s": 26}),
        (points, "finished points", {"color": SPARSE, "s": 44, "marker": "D"}),
        ([pair for pair in both if pair[0] != pair[1]], "differs", {"color": BAD, "s": 90, "marker": "x"}),
    )
    for pairs, label, looks in kinds:
        if pairs:
            axes.scatter(*zip(*pairs, strict=True), label=label, zorder=3, **looks)
    cycles = [value for pair in both for value in pair]
    for axis in ("x", "y"):
        logarithmic(axes, cycles, axis)
    axes.axline((1, 1), (10, 10), color=MUTED, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.set_xlabel("predicted cycles per step (logarithmic)")
    axes.set_ylabel("measured on the RTL")
    largest = max(map(abs, study.differences))
    colour = BAD if largest else INK
    text = f"largest difference: {largest:g} cycles per step"
    axes.text(
        0.02, 0.93, text, transform=axes.transAxes, color=colour, weight="bold" if largest else "normal"
    )
    legend_above(figure, 3)
    return figure


def counters_figure(points: Sequence[Point]) -> Figure:
    """Cycles per step of every point as pale bars; inside each, thin bars of its counters that are not zero."""
    counted = {name for point in points for name, value in point.counters.items() if value}
    labels = cycle_labels([name for name in points[0].counters if name in counted - {"cycles", *AHEAD}])
    bars = [
        (
            f"{LOOKS[point.kind]['label']} {point.name}" if point.kind != UNCOMPRESSED else "uncompressed",
            point,
        )
        for point in points
    ]
    return activity_bars(
        [label for label, _ in bars],
        [point.measured for _, point in bars],
        [LOOKS[point.kind]["color"] for _, point in bars],
        {label: [point.counters.get(name, 0) for _, point in bars] for name, label in labels.items()},
    )


def progress_figure(trials: Sequence[Trial], targets: Sequence[Target]) -> Figure:
    """Reward of every trial and the best so far; lines part the rounds."""
    figure = new_figure(3.2)
    axes = figure.add_subplot()
    numbers = [trial.number for trial in trials]
    best = list(accumulate((trial.reward for trial in trials), max))
    axes.scatter(numbers, [trial.reward for trial in trials], 20, STEPS[1], linewidths=0, label="trial")
    axes.step(numbers, best, where="post", color=SPARSE, label="best so far")
    note(axes, numbers[-1], best[-1], f"{best[-1]:.2f}", (6, 0), va="center", color=INK)
    rewards = [target.reward for target in targets]
    last = {trial.round: trial.number for trial in trials}
    ends = [last[target.round] for target in targets if target.round in last]
    if len(ends) == len(rewards) and ends:
        axes.plot(ends, rewards, "D", color=DENSE, markersize=6, label="target of a round", zorder=3)
    for turn in sorted(set(last))[:-1]:
        axes.axvline(last[turn] + 0.5, color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    low = _low([trial.reward for trial in trials], [best[0], best[-1]])
    margin = 0.08 * (best[-1] - low) or 1
    axes.set_ylim(low - margin, best[-1] + margin)
    _count_below(axes, sum(trial.reward < low - margin for trial in trials))
    axes.set_xlabel("trial")
    axes.set_ylabel("reward, points")
    legend_above(figure, 3)
    return figure


def draw_front(
    axes: Axes, costs: Sequence[float], scores: Sequence[float], metric: Metric, colour: str
) -> list[int]:
    """Join the points that no cheaper one equals, as stairs; gives their places, from cheap to dear."""
    front: list[int] = []
    best = -inf
    for k in sorted(range(len(costs)), key=lambda k: (costs[k], -metric.quality(scores[k]))):
        if metric.quality(scores[k]) > best:
            best = metric.quality(scores[k])
            front.append(k)
    stairs = [costs[k] for k in front], [scores[k] for k in front]
    axes.step(*stairs, where="post", color=colour, linewidth=1.4, zorder=2, label="_front")
    return front


def short(value: float) -> str:
    """Write a figure on an axis, from 10,000 on in thousands."""
    for size, least, letter in ((1e6, 1e6, " M"), (1e3, 1e4, " k")):
        if value >= least:
            return f"{value / size:g}{letter}"
    return f"{value:,g}"


def logarithmic(axes: Axes, values: Sequence[float], axis: str = "x") -> None:
    """Make an axis logarithmic, with plain numbers at 1, 2 and 5 of each decade."""
    shown = axes.xaxis if axis == "x" else axes.yaxis
    getattr(axes, f"set_{axis}scale")("log")
    low, high = min(values), max(values)
    getattr(axes, f"set_{axis}lim")(low / 1.25, high * 1.25)
    wide = high / low > 200
    shown.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    shown.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    shown.set_minor_formatter(NullFormatter())


def rounds(trials: Sequence[Trial]) -> list[tuple[str, str, list[Trial]]]:
    """Return name, colour and trials of every round, or of as many spans of rounds as there are colours."""
    turns = sorted({trial.round for trial in trials})
    if not turns:
        return []
    size = ceil(len(turns) / len(STEPS))
    spans = [turns[k : k + size] for k in range(0, len(turns), size)]
    found = []
    for place, span in enumerate(spans):
        colour = STEPS[place * (len(STEPS) - 1) // (len(spans) - 1) if len(spans) > 1 else len(STEPS) // 2]
        name = f"round {span[0]}" if len(span) == 1 else f"rounds {span[0]}–{span[-1]}"
        found.append((f"trials, {name}", colour, [trial for trial in trials if trial.round in span]))
    return found


def _limit_scores(axes: Axes, study: Study) -> None:
    """Leave trials out of the picture that are far below all else; more is up, whatever the metric."""
    quality = study.metric.quality
    trials = [quality(trial.score) for trial in study.trials]
    finished = [quality(point.validation) for point in study.points]
    low, high = _low(trials, finished), max(trials + finished)
    margin = 0.06 * (high - low) or 0.5
    axes.set_ylim(quality(low - margin), quality(high + margin))
    _count_below(axes, sum(value < low - margin for value in trials))


def _low(trials: Sequence[float], shown: Sequence[float]) -> float:
    """Give the least of what must be shown and of most trials: a few bad ones would flatten all else."""
    usual = [*shown, sorted(trials)[len(trials) // 4]] if trials else shown
    low, high = min(usual), max([*trials, *shown])
    return max(min([*trials, *shown]), low - 0.3 * (high - low))


def _count_below(axes: Axes, count: int) -> None:
    if count:
        text = f"{count} trial{'s' if count > 1 else ''} below"
        axes.text(0.99, 0.02, text, transform=axes.transAxes, ha="right", color=MUTED, size=9)


def _choice(kind: str, value: float) -> str:
    if kind == "density":
        return percent(round(value, 4))
    return "full" if kind == "rank" and not value else f"{value:g}"
