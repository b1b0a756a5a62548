"""Paired comparisons over seeds: by how many times one figure is larger than another, with its interval."""

import math
from collections.abc import Sequence
from typing import NamedTuple

_T: tuple[float, ...] = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_T += (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)
"""97.5 % quantiles of Student's t, for 1 degree of freedom and more."""


class Interval(NamedTuple):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def paired_ratio(ours: Sequence[float], others: Sequence[float]) -> Interval | None:
    """Return by how many times figures are larger than others of the same seeds: the geometric mean.

    The interval is Student's t of the ratios' logarithms, so that it is about pairs: what a seed does to both counts
    for nothing.

    Parameters
    ----------
    ours, others : sequences of float
        One for each seed, in the same order.

    Returns
    -------
    Interval or None
        None for fewer than two seeds, for more than the table has, and where a figure is 0, as it has no ratio.
    """
    count = len(ours)
    if not 2 <= count <= len(_T) + 1 or min(*ours, *others) <= 0:
        return None
    logs = [math.log(one / other) for one, other in zip(ours, others, strict=True)]
    mean = sum(logs) / count
    deviation = math.sqrt(sum((each - mean) ** 2 for each in logs) / (count - 1))
    reach = _T[count - 2] * deviation / math.sqrt(count)
    return Interval(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))
