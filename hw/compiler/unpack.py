"""Words of the weight and index memories become weights and accumulator rows again: the inverse of packing."""

from functools import cache
from typing import NamedTuple

import numpy as np

from gatewright.hw.compiler.image import Compiled, Image
from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.hw.ops import Op, Opcode

_READ = ("columns", "words", "weight_base", "index_base", "table_base", "split", "sparse", "table")
"""The arguments of a ``MATVEC`` that say which words it reads, and how."""


class Unpacked(NamedTuple):
    """The weights that one ``MATVEC`` reads, in the order in which the lanes work.

    Parameters
    ----------
    weights : int8 array [rows, lanes]
        One row for each slot of a word, word after word.
    targets : uint32 array [rows, lanes], or None when dense
        Accumulator row of each weight, inside the region of the op.
    starts : int64 array [columns + 1]
        The first row of `weights` of each column step, and their end.
    """

    weights: np.ndarray
    targets: np.ndarray | None
    starts: np.ndarray

    @property
    def region(self) -> int:
        """Accumulator rows from the first of the op's region to the last that it adds to."""
        if not len(self.weights):
            return 0
        return int(np.diff(self.starts).max() if self.targets is None else self.targets.max() + 1)


def step_words(arguments: dict[str, int], image: Image) -> tuple[np.ndarray, np.ndarray]:
    """Give the offset from ``weight_base`` and the count of the words of each column step of a ``MATVEC``, int64."""
    columns = arguments["columns"]
    if arguments["table"]:
        entries = image.columns[arguments["table_base"] : arguments["table_base"] + columns]
        return entries[:, 0], entries[:, 1]
    counts = np.full(columns, arguments["words"], dtype=np.int64)
    return counts * np.arange(columns), counts


def unpack_all(ops: list[Op], compiled: Compiled) -> list[Unpacked | None]:
    """Read the matrix of each ``MATVEC`` (None for other ops), whose words must lie inside the image.

    Ops that read the same words share one object.
    """
    read = cache(lambda arguments: _unpack(dict(arguments), compiled.image, compiled.config))
    return [
        read(tuple((name, op.arguments[name]) for name in _READ)) if op.opcode == Opcode.MATVEC else None
        for op in ops
    ]


def _unpack(arguments: dict[str, int], image: Image, config: AcceleratorConfig) -> Unpacked:
    offsets, counts = step_words(arguments, image)
    ends = counts.cumsum()
    words = np.repeat(offsets - (ends - counts), counts) + np.arange(counts.sum())
    slots = 1 << arguments["split"]
    bits = WEIGHT_BITS // slots
    slot = np.arange(slots, dtype=np.uint8)
    stored = image.weights[:, arguments["weight_base"] + words, None]
    # Each slot goes to the top of its byte, so that the shift back extends its sign.
    weights = (stored << (WEIGHT_BITS - bits * (slot + 1)).astype(np.uint8)).view(np.int8) >> (
        WEIGHT_BITS - bits
    )
    targets = None
    if arguments["sparse"]:
        index_bits = config.slot_index_bits(slots)
        stored = image.indices[:, arguments["index_base"] + words, None]
        targets = (stored >> slot * index_bits & (1 << index_bits) - 1) * slots + slot
        targets = _by_row(targets.astype(np.uint32))
    return Unpacked(_by_row(weights), targets, slots * np.concatenate([[0], ends]))


def _by_row(values: np.ndarray) -> np.ndarray:
    """Turn [lanes, words, slots] to [words * slots, lanes]."""
    return np.ascontiguousarray(values.transpose(1, 2, 0)).reshape(-1, values.shape[0])
