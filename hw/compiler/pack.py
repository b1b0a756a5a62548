"""Matrices become words of the lanes' weight and index memories."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gatewright.errors import ConfigError
from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.sw.bundle import Matrix
from gatewright.sw.rows import gate_rows, plain_rows, word_slots

Mode = Literal["dense", "sparse"]


@dataclass(frozen=True)
class Packed:
    """One matrix as the lanes store it, encoded as `gatewright.hw.ops` documents for ``MATVEC``.

    Parameters
    ----------
    weights : uint8 array [lanes, words]
        Words, column step after column step.
    indices : uint32 array [lanes, words], or [lanes, 0] when dense
        The index word of each weight word.
    columns : int
        Column steps.
    tail : int
        Columns of the last step, 0 if it has as many as the others or if the orientation is private.
    words : int
        Words in each lane and step, padding included; 0 with a table.
    table : int64 array [columns, 2], or None
        Offset and count of each step's words, where the counts differ.
    split : int
        A word holds ``1 << split`` weights.
    sparse, private : bool
        Mode and orientation.
    rows : int
        Accumulator rows that the matrix uses.
    """

    weights: np.ndarray
    indices: np.ndarray
    columns: int
    tail: int
    words: int
    table: np.ndarray | None
    split: int
    sparse: bool
    private: bool
    rows: int

    @property
    def cycles(self) -> int:
        """Cycles that the lanes work on one product with the whole matrix: its words in each lane."""
        return self.weights.shape[1]


def pack(matrix: Matrix, config: AcceleratorConfig, *, gates: bool, private: bool, mode: Mode) -> Packed:
    """Pack a matrix for one configuration.

    Dense: slot s of a step's word n is accumulator row ``slots * n + s``. Sparse: the non-zeros of each lane and
    slot, in row order, padded with zero weights to the fullest slot of all lanes. If the fullest differs from step
    to step, the steps keep their own counts where the configuration has a column table; else all are padded alike.

    Parameters
    ----------
    matrix : Matrix
        The weights. Narrower ones than `config.narrowest_weight` are stored with that width.
    config : AcceleratorConfig
        Memory depths are not looked at, except for whether there are index memories and a column table.
    gates : bool
        The rows are gate blocks: the four gates of a unit go to the four lanes of one quad.
    private : bool
        Every lane has its own columns and all rows, instead of its own rows of its group's columns.
    mode : "dense" or "sparse"

    Raises
    ------
    ConfigError
        The configuration has no index memories for a sparse matrix, or a gate matrix should be private.
    """
    if mode == "sparse" and not config.index_depth:
        raise ConfigError("a sparse matrix needs an accelerator with index_depth above 0")
    if gates and private:
        raise ConfigError(
            "a gate matrix cannot be private: the cell unit reads its rows from the lanes of quads"
        )
    slots = min(word_slots(matrix.format.bits), config.banks)
    cube = _place(matrix.values, config, slots, gates, private)
    rows = max(cube.shape[2] * slots, config.banks)
    lanes, columns = cube.shape[:2]
    if mode == "dense":
        weights, table, words = cube.reshape(lanes, -1, slots), None, cube.shape[2]
        indices = np.zeros((lanes, 0), dtype=np.uint32)
    else:
        weights, places, counts = _compress(cube, bool(config.column_depth))
        indices = _join(places, config.slot_index_bits(slots), np.uint32)
        regular = (counts == counts[0]).all()
        table = None if regular else np.stack([np.where(counts, counts.cumsum() - counts, 0), counts], axis=1)
        words = int(counts[0]) if regular else 0
    return Packed(
        weights=_join(weights, WEIGHT_BITS // slots, np.uint8),
        indices=indices,
        columns=columns,
        tail=0 if private else matrix.values.shape[1] % config.groups,
        words=words,
        table=table,
        split=slots.bit_length() - 1,
        sparse=mode == "sparse",
        private=private,
        rows=rows,
    )


def _place(
    values: np.ndarray, config: AcceleratorConfig, slots: int, gates: bool, private: bool
) -> np.ndarray:
    """Put every weight in its place: int8 [lanes, column steps, words, slots], all rows of a step."""
    height, width = values.shape
    if private:
        lane, row = np.zeros(height, dtype=np.int64), np.arange(height)
    elif gates:
        lane, row = gate_rows(height // 4, config.group_lanes)
    else:
        lane, row = plain_rows(height, config.group_lanes)
    parts = config.lanes if private else config.groups
    step, part = np.divmod(np.arange(width), parts)
    words = -(-(int(row.max()) + 1) // slots)
    cube = np.zeros((config.lanes, int(step[-1]) + 1, words * slots), dtype=np.int8)
    cube[lane[:, None] + config.lanes // parts * part, step, row[:, None]] = values
    return cube.reshape(*cube.shape[:2], words, slots)


def _compress(cube: np.ndarray, table: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep the non-zeros: weights and their words' numbers [lanes, words, slots], and the count of words by step."""
    kept = cube != 0
    counts = kept.sum(axis=2).max(axis=(0, 2))
    if not table:
        counts[:] = counts.max()
    lane, step, word, slot = np.nonzero(kept)
    rank = kept.cumsum(axis=2, dtype=np.int32)[lane, step, word, slot] - 1
    target = lane, (counts.cumsum() - counts)[step] + rank, slot
    shape = cube.shape[0], int(counts.sum()), cube.shape[3]
    weights, places = np.zeros(shape, dtype=np.int8), np.zeros(shape, dtype=np.uint32)
    weights[target] = cube[lane, step, word, slot]
    places[target] = word
    return weights, places, counts


def _join(values: np.ndarray, bits: int, dtype: type) -> np.ndarray:
    """Pack the last axis, `bits` each from bit 0 up, into words of an unsigned type."""
    fields = (values.astype(dtype) & dtype((1 << bits) - 1)) << (
        np.arange(values.shape[-1], dtype=dtype) * dtype(bits)
    )
    return np.bitwise_or.reduce(fields, axis=-1, dtype=dtype)
