"""Balanced patterns: in every column each lane keeps the same number of weights, so no lane waits for another."""

import numpy as np
import torch
from torch import Tensor

from gatewright.errors import ConfigError
from gatewright.sw.rows import gate_rows


def kept_per_lane(hidden: int, lanes: int, density: float) -> int:
    """Give how many weights a lane keeps of its rows in each column: ``round(density * rows)``, at least 1.

    Where the units do not fill the lanes evenly, the rows are those of the fullest lane, and no more are
    kept than the emptiest lane has, unless all are.

    Raises
    ------
    ConfigError
        A lane has no rows at all.
    """
    rows = _rows_of_lanes(hidden, lanes)
    if rows.min() == 0:
        raise ConfigError(
            f"lanes must be at most {4 * hidden} for {hidden} hidden units, not {lanes}: {(rows == 0).sum()} "
            "lanes would hold no weights"
        )
    fullest, emptiest = int(rows.max()), int(rows.min())
    kept = max(1, round(density * fullest))
    return fullest if kept == fullest else min(kept, emptiest)


def actual_density(hidden: int, lanes: int, density: float) -> float:
    """Give the density that `kept_per_lane` really leaves."""
    rows = _rows_of_lanes(hidden, lanes)
    return float(np.minimum(rows, kept_per_lane(hidden, lanes, density)).sum() / rows.sum())


def balanced_mask(weights: Tensor, lanes: int, density: float) -> Tensor:
    """Choose the largest magnitudes of every lane in every column.

    Parameters
    ----------
    weights : float tensor [4*hidden, columns]
        A gate matrix, gate blocks in the order i f g o.
    lanes : int
        A power of two from 4 to 4 * hidden.
    density : float
        Share to keep.

    Returns
    -------
    bool tensor [4*hidden, columns]
        True for what is kept: `kept_per_lane` of each lane and column.
    """
    hidden, columns = weights.shape[0] // 4, weights.shape[1]
    kept = kept_per_lane(hidden, lanes, density)
    lane, row = (torch.from_numpy(place) for place in gate_rows(hidden, lanes))
    # Places that hold no row rank behind every weight.
    magnitude = torch.full((lanes, int(row.max()) + 1, columns), -1.0)
    magnitude[lane, row] = weights.detach().abs()
    largest = magnitude.topk(kept, dim=1).indices
    return torch.zeros_like(magnitude, dtype=torch.bool).scatter_(1, largest, True)[lane, row]


def _rows_of_lanes(hidden: int, lanes: int) -> np.ndarray:
    return np.bincount(gate_rows(hidden, lanes)[0], minlength=lanes)
