"""Points that no other point beats, and how much of the space they dominate. All objectives are minimised."""

from collections.abc import Iterable, Sequence

import numpy as np


def pareto(points: Sequence[Sequence[float]]) -> list[int]:
    """Give the places of the points that no other dominates, in their order; of equal points the first.

    Parameters
    ----------
    points : sequence of points
        Each with as many objectives, all minimised.
    """
    values = np.asarray(points, dtype=float)
    return [
        k
        for k, value in enumerate(values)
        if not dominated(value, values) and not (values[:k] == value).all(axis=-1).any()
    ]


def dominated(point: Sequence[float] | np.ndarray, points: Sequence[Sequence[float]] | np.ndarray) -> bool:
    """Tell whether one of some points is nowhere worse than a point, and somewhere better."""
    others = np.asarray(points, dtype=float).reshape(-1, len(point))
    value = np.asarray(point, dtype=float)
    return bool(((others <= value).all(axis=1) & (others < value).any(axis=1)).any())


def hypervolume(points: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """Give the volume that points dominate below a reference point, exactly, by slices along the last objective.

    Parameters
    ----------
    points : sequence of points
        Each with as many objectives, all minimised.
    reference : sequence of float
        The worst value of each objective that counts; points that do not reach it in all add nothing.
    """
    limit = np.asarray(reference, dtype=float)
    values = np.asarray(points, dtype=float).reshape(-1, len(limit))
    return float(_volume(values[(values < limit).all(axis=1)], limit))


def choose(
    points: Sequence[Sequence[float]], reference: Sequence[float], count: int, first: Iterable[int] = (0,)
) -> list[int]:
    """Choose at most `count` points: some that are given, then always the one that adds the most hypervolume.

    Greedy choice is within 1 - 1/e of the best subset, as hypervolume is submodular.

    Parameters
    ----------
    points, reference
        As `hypervolume` has them; there is at least one point.
    count : int
        At least 1.
    first : iterable of int
        Places of the points that come first, at least one.
    """
    chosen = list(first)[:count]
    while len(chosen) < min(count, len(points)):
        rest = [k for k in range(len(points)) if k not in chosen]
        chosen.append(max(rest, key=lambda k: hypervolume([points[j] for j in (*chosen, k)], reference)))
    return chosen


def _volume(values: np.ndarray, limit: np.ndarray) -> float:
    if not len(values):
        return 0.0
    if len(limit) == 1:
        return float(limit[0] - values.min())
    values = values[values[:, -1].argsort(kind="stable")]
    ends = [*values[1:, -1], limit[-1]]
    return sum(
        (end - begin) * _volume(values[: k + 1, :-1], limit[:-1])
        for k, (begin, end) in enumerate(zip(values[:, -1], ends, strict=True))
    )
