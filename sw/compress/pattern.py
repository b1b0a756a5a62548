"""Balanced patterns: in every column each lane keeps the same number of weights, so no lane waits for another.

Where a word of a weight memory has several slots for narrow weights, each slot of each lane keeps the same number, so
that words are full.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewright.errors import ConfigError
from gatewright.sw.rows import gate_rows, plain_rows, slot_rows, word_slots
from gatewright.sw.spec import GATE_PRODUCTS, Columns, CompressionSpec


@dataclass(frozen=True)
class Layout:
    """Where the weight memories hold each weight of a matrix.

    A word of the pattern is one place in every slot of every lane: those at one depth of one column step. All three
    arrays are int64 and broadcast to [rows, columns].

    Parameters
    ----------
    slot : Tensor
        Slot, counted over all lanes.
    depth : Tensor
        Place among the weights of that slot in the same step.
    step : Tensor
        Column step: a column; or in private orientation as many columns as there are lanes, one for each.
    """

    slot: Tensor
    depth: Tensor
    step: Tensor

    @property
    def words(self) -> int:
        """Words in each step of the unpruned matrix."""
        return int(self.depth.max()) + 1

    @property
    def steps(self) -> int:
        """Column steps."""
        return int(self.step.max()) + 1

    def kept(self, density: float) -> int:
        """Give how many words each step keeps: ``round(density * words)``, at least 1.

        Slots that hold one weight less than the fullest keep as many, unless they keep all.
        """
        return max(1, round(density * self.words))

    def cube(self, values: Tensor, empty: float) -> Tensor:
        """Put the values of a matrix [rows, columns] in their places [slots, words, steps]; others are `empty`."""
        cube = values.new_full((int(self.slot.max()) + 1, self.words, self.steps), empty)
        cube[self.slot, self.depth, self.step] = values
        return cube

    def mask(self, order: Tensor, words: Tensor) -> Tensor:
        """Give the mask [rows, columns] of words.

        Parameters
        ----------
        order : int64 [slots, words, steps]
            Which depth of a slot each word holds.
        words : bool [words, steps]
            True for what is kept.
        """
        kept = torch.zeros(order.shape, dtype=torch.bool).scatter_(1, order, words.expand(order.shape))
        return kept[self.slot, self.depth, self.step]


def gate_layout(hidden: int, columns: int, lanes: int, slots: int = 1) -> Layout:
    """Give the layout of a gate matrix [4*hidden, columns].

    Parameters
    ----------
    hidden, columns : int
    lanes : int
        Lanes of one group: a power of two from 4 to 4 * hidden.
    slots : int
        Weights in each word of a weight memory: 1, 2 or 4.

    Raises
    ------
    ConfigError
        A lane has no rows at all.
    """
    places = gate_rows(hidden, lanes)
    empty = lanes - len(np.unique(places[0]))
    if empty:
        raise ConfigError(
            f"lanes must be at most {4 * hidden} for {hidden} hidden units, not {lanes}: {empty} "
            "lanes would hold no weights"
        )
    return _broadcast(places, columns, slots)


def plain_layout(rows: int, columns: int, lanes: int, slots: int = 1, *, private: bool) -> Layout:
    """Give the layout of any other matrix [rows, columns], in one of the compiler's two orientations.

    Private: each lane has its own columns, every lanes-th, and all their rows. It fills the lanes that a matrix with
    few rows leaves empty in broadcast orientation.
    """
    if not private:
        return _broadcast(plain_rows(rows, lanes), columns, slots)
    row, column = np.arange(rows)[:, None], np.arange(columns)
    parts = (column % lanes * slots + row % slots, row // slots, column[None] // lanes)
    return Layout(*(torch.from_numpy(part) for part in parts))


def layout(name: str, matrix: Tensor, spec: CompressionSpec) -> Layout:
    """Give the layout of a network's matrix, known by its name in `LstmNetwork.matrices`.

    A matrix whose rows are not gates lies in the orientation that takes fewer words at its density, as the compiler
    chooses; the accelerator must have accumulators for twice its rows, else the compiler keeps to broadcast.

    Raises
    ------
    ConfigError
        A lane of a gate matrix has no rows at all.
    """
    (rows, columns), target = matrix.shape, spec.of(name)
    slots = word_slots(target.bits)
    if name.removesuffix(".second").endswith(GATE_PRODUCTS):
        return gate_layout(rows // 4, columns, spec.lanes, slots)
    broadcast, private = (
        plain_layout(rows, columns, spec.lanes, slots, private=each) for each in (False, True)
    )
    return min(broadcast, private, key=lambda each: each.steps * each.kept(target.density))


def balanced_mask(weights: Tensor, layout: Layout, density: float, columns: Columns = "equal") -> Tensor:
    """Choose the weights that a matrix keeps: the largest magnitudes that the pattern allows.

    Parameters
    ----------
    weights : float tensor [rows, columns]
    layout : Layout
    density : float
        Share to keep.
    columns : "equal", "contribution" or "unstructured"
        Each step keeps ``layout.kept(density)`` words; or the words with the largest sums of magnitudes stay,
        wherever they are; or the largest magnitudes do, with no pattern.

    Returns
    -------
    bool tensor [rows, columns]
        True for what is kept.
    """
    magnitude = weights.detach().abs()
    if columns == "unstructured":
        return _largest(magnitude, max(1, round(density * magnitude.numel())))
    # Places that hold no row rank behind every weight.
    largest, order = layout.cube(magnitude, -1.0).sort(dim=1, descending=True)
    words = torch.zeros(largest.shape[1:], dtype=torch.bool)
    if columns == "equal":
        words[: layout.kept(density)] = True
    else:
        # What one more word of a step gains falls from word to word, so the largest gains are the best choice.
        words = _largest(largest.clamp(min=0).sum(dim=0), max(1, round(density * words.numel())))
    return layout.mask(order, words)


def _broadcast(places: tuple[np.ndarray, np.ndarray], columns: int, slots: int) -> Layout:
    slot, depth = (torch.from_numpy(place)[:, None] for place in slot_rows(places, slots))
    return Layout(slot, depth, torch.arange(columns)[None])


def _largest(values: Tensor, count: int) -> Tensor:
    """Mark the `count` largest values."""
    mask = torch.zeros(values.numel(), dtype=torch.bool)
    mask[values.flatten().topk(count).indices] = True
    return mask.view(values.shape)
