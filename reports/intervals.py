"""How uncertain a score is that was taken over a limited number of positions."""

from math import sqrt
from typing import NamedTuple

from gatewright.reports.metrics import Metric

_Z = 1.959964
"""Standard deviations of a normal distribution that hold 95 % of it on both sides."""


class Interval(NamedTuple):
    """The 95 % interval of a score."""

    low: float
    high: float


def interval(metric: Metric, score: float | None, positions: float | None) -> Interval | None:
    """Return the 95 % interval of an accuracy by Wilson's score method; None for other metrics, or unknown positions.

    It is about which samples were drawn, not about training with other seeds. Positions count as independent, which
    steps of one sequence are not: there it is too narrow.
    """
    if score is None or not positions or metric.name != "accuracy":
        return None
    share = score / 100
    spread = _Z * _Z / positions
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * sqrt(share * (1 - share) / positions + spread / (4 * positions)) / (1 + spread)
    return Interval(100 * max(0.0, middle - half), 100 * min(1.0, middle + half))


def shown_interval(metric: Metric, score: float | None, positions: float | None) -> str:
    """Return the interval as people read it after a score, with a space before; empty where there is none."""
    found = interval(metric, score, positions)
    return f" ({found.low:.1f} to {found.high:.1f})" if found else ""
