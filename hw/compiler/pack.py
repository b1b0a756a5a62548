"""Matrices become words of the lanes' weight and index memories."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gatewright.sw.bundle import Matrix

Mode = Literal["dense", "sparse"]


@dataclass(frozen=True)
class Packed:
    """One matrix as the lanes store it.

    Parameters
    ----------
    weights : uint8 array [lanes, columns * entries]
        Words, column after column.
    indices : uint16 array [lanes, columns * entries], or [lanes, 0] when dense
        Accumulator row of each weight.
    columns : int
        Columns of the matrix.
    entries : int
        Weights in each lane and column, padding included.
    mode : "dense" or "sparse"
    """

    weights: np.ndarray
    indices: np.ndarray
    columns: int
    entries: int
    mode: Mode


def pack(matrix: Matrix, placement: tuple[np.ndarray, np.ndarray], lanes: int, mode: Mode) -> Packed:
    """Pack a matrix for broadcast orientation.

    Dense: entry k of a column is accumulator row k. Sparse: the non-zeros of each lane, in row order, padded with
    zero weights to the fullest lane of the whole matrix, so that every column takes the same time.

    Parameters
    ----------
    matrix : Matrix
        The weights.
    placement : (lane, row)
        Where each matrix row lives, from `gatewright.sw.rows`.
    lanes : int
        Lanes of the accelerator.
    mode : "dense" or "sparse"
    """
    lane, row = placement
    rows = int(row.max()) + 1
    full = np.zeros((lanes, matrix.columns, rows), dtype=np.int8)
    full[lane, :, row] = matrix.values
    if mode == "dense":
        words, indices = full, np.zeros((lanes, 0), dtype=np.uint16)
    else:
        # A stable sort on "is zero" moves the non-zeros of every lane and column to the front, in row order.
        order = np.argsort(full == 0, axis=2, kind="stable")
        entries = int(np.count_nonzero(full, axis=2).max())
        words = np.take_along_axis(full, order, axis=2)[:, :, :entries]
        indices = np.where(words != 0, order[:, :, :entries], 0).astype(np.uint16).reshape(lanes, -1)
    return Packed(words.reshape(lanes, -1).view(np.uint8), indices, matrix.columns, words.shape[2], mode)
