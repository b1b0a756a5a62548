"""Balanced patterns: in every column each lane keeps the same number of weights, so no lane waits for another.

Where a word of a weight memory has several slots for narrow weights, each slot of each lane keeps the same number, so
that words are full.
"""

import numpy as np
import torch
from torch import Tensor

from gatewright.errors import ConfigError
from gatewright.sw.rows import gate_rows, slot_rows


def kept_per_lane(hidden: int, lanes: int, density: float, slots: int = 1) -> int:
    """Give how many weights each slot of a lane keeps in each column: ``round(density * rows)``, at least 1.

    It is the number of words that the lane reads. The rows are those of the fullest slot; others in use have at most
    one less, so that all slots in use keep the same number unless they keep all.

    Parameters
    ----------
    hidden : int
        Units of the gate matrix.
    lanes : int
        Lanes of one group.
    density : float
        Share to keep.
    slots : int
        Weights in each word of a weight memory: 1, 2 or 4.

    Raises
    ------
    ConfigError
        A lane has no rows at all.
    """
    empty = lanes - len(np.unique(gate_rows(hidden, lanes)[0]))
    if empty:
        raise ConfigError(
            f"lanes must be at most {4 * hidden} for {hidden} hidden units, not {lanes}: {empty} "
            "lanes would hold no weights"
        )
    return max(1, round(density * int(_rows_of_slots(hidden, lanes, slots).max())))


def actual_density(hidden: int, lanes: int, density: float, slots: int = 1) -> float:
    """Give the density that `kept_per_lane` really leaves."""
    rows = _rows_of_slots(hidden, lanes, slots)
    return float(np.minimum(rows, kept_per_lane(hidden, lanes, density, slots)).sum() / rows.sum())


def balanced_mask(weights: Tensor, lanes: int, density: float, slots: int = 1) -> Tensor:
    """Choose the largest magnitudes of every slot of every lane in every column.

    Parameters
    ----------
    weights : float tensor [4*hidden, columns]
        A gate matrix, gate blocks in the order i f g o.
    lanes : int
        Lanes of one group: a power of two from 4 to 4 * hidden.
    density : float
        Share to keep.
    slots : int
        Weights in each word of a weight memory: 1, 2 or 4.

    Returns
    -------
    bool tensor [4*hidden, columns]
        True for what is kept: `kept_per_lane` of each slot and column.
    """
    hidden, columns = weights.shape[0] // 4, weights.shape[1]
    kept = kept_per_lane(hidden, lanes, density, slots)
    slot, index = (torch.from_numpy(place) for place in slot_rows(gate_rows(hidden, lanes), slots))
    # Places that hold no row rank behind every weight.
    magnitude = torch.full((slots * lanes, int(index.max()) + 1, columns), -1.0)
    magnitude[slot, index] = weights.detach().abs()
    largest = magnitude.topk(kept, dim=1).indices
    return torch.zeros_like(magnitude, dtype=torch.bool).scatter_(1, largest, True)[slot, index]


def _rows_of_slots(hidden: int, lanes: int, slots: int) -> np.ndarray:
    """Count the rows of every slot that has any."""
    return np.unique(slot_rows(gate_rows(hidden, lanes), slots)[0], return_counts=True)[1]
