"""How uncertain a score is that was taken over a limited number of positions: Wilson's interval, or a stored one."""

from math import sqrt
from typing import NamedTuple

from gatewright.reports.metrics import Metric
from gatewright.results import Rows

_Z = 1.959964
"""Standard deviations of a normal distribution that hold 95 % of it on both sides."""


class Interval(NamedTuple):
    """The 95 % interval of a score."""

    low: float
    high: float


def interval(
    metric: Metric, score: float | None, positions: float | None, stored: Interval | None = None
) -> Interval | None:
    """Return the 95 % interval of a score; None where it is not known.

    That of an accuracy is Wilson's, from its positions, which count as independent: steps of one sequence are not, and
    there it is too narrow. That of another metric is the stored one, by resampling when the model was made. Both are
    about which samples were drawn, not about training with other seeds.
    """
    if score is None or metric.name != "accuracy":
        return None if score is None else stored
    if not positions:
        return None
    share = score / 100
    spread = _Z * _Z / positions
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * sqrt(share * (1 - share) / positions + spread / (4 * positions)) / (1 + spread)
    return Interval(100 * max(0.0, middle - half), 100 * min(1.0, middle + half))


def shown_interval(
    metric: Metric, score: float | None, positions: float | None, stored: Interval | None = None
) -> str:
    """Return the interval as people read it after a score, with a space before; empty where there is none."""
    found = interval(metric, score, positions, stored)
    if found is None:
        return ""
    low, high = (f"{end:.1f}" if metric.unit == "percent" else metric.show(end, unit=False) for end in found)
    return f" ({low} to {high})"


def stored_intervals(rows: Rows, name: str, metric: Metric) -> dict[str, Interval]:
    """Return the intervals that rows tell of the scores of a name, by split."""
    low, high = (rows.values(f"{name}_{end}", "split", metric=metric.name) for end in ("low", "high"))
    return {split: Interval(low[split], high[split]) for split in low if split in high}
