"""What an op moves and multiplies: a stand-in for the energy of a step, which no open tool estimates.

Energy goes mostly into memory accesses and products, so that two models on one accelerator compare by these counts.
They say nothing about joules.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gatewright.hw.compiler.image import Compiled
from gatewright.hw.compiler.unpack import unpack_all
from gatewright.hw.cycles.model import column_words
from gatewright.hw.memories import activation_copies
from gatewright.hw.ops import Op, Opcode

CELL_PRODUCTS = 8
"""Products of an LSTM unit after its sums: f·c, i·g, o·tanh(c), and an interpolation for each of 3 σ and 2 tanh."""

CELL_CHORDS = 5
"""Chords of the table of σ that an LSTM unit reads."""


@dataclass(frozen=True)
class Work:
    """What is done, if no zeros are skipped.

    Parameters
    ----------
    read, written : int
        Words of memories: weights, indices, column table, biases, accumulators, activations (each copy), cell states,
        chords of σ, ops. Flags of zeros are left out.
    products : int
        Multiplications, those with a zero weight and those that pad included.
    useful : int
        Multiplications with a weight that is not zero, and those of the cell unit.
    """

    read: int = 0
    written: int = 0
    products: int = 0
    useful: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.read + other.read,
            self.written + other.written,
            self.products + other.products,
            self.useful + other.useful,
        )


def op_work(compiled: Compiled) -> list[Work]:
    """Return what each op of a program does when it runs, in program order."""
    program = compiled.image.program
    fetch = Work(read=1)
    return [
        fetch + (_matvec(op, compiled, matrix.weights) if matrix is not None else _other(op, compiled))
        for op, matrix in zip(program, unpack_all(list(program), compiled), strict=True)
    ]


def total(works: Iterable[Work]) -> Work:
    """Add up what several ops do."""
    return sum(works, Work())


def _matvec(op: Op, compiled: Compiled, weights: np.ndarray) -> Work:
    """A word of each lane in each cycle; a column step reads its activations, and its entry of the table."""
    config, arguments = compiled.config, op.arguments
    words = config.lanes * int(column_words(arguments, compiled.image).sum())
    products = words << arguments["split"]
    elements = config.lanes if arguments["private"] else config.groups
    return Work(
        read=words * (1 + arguments["sparse"])
        + products
        + arguments["columns"] * (elements + arguments["table"]),
        written=products,
        products=products,
        useful=int(np.count_nonzero(weights)),
    )


def _other(op: Op, compiled: Compiled) -> Work:
    config, arguments = compiled.config, op.arguments
    copies = len(activation_copies(config))
    match op.opcode:
        case Opcode.INPUT:
            return Work(written=arguments["count"] * copies)
        case Opcode.OUTPUT:
            return Work(read=arguments["count"])
        case Opcode.CELL:
            # Each sum is read and cleared; a unit has four, each with a bias, and a state that is read and written.
            units = arguments["groups"] * config.cell_lanes
            sums = 4 * units * config.groups
            return Work(
                read=sums + (4 + 1 + CELL_CHORDS) * units,
                written=sums + (1 + copies) * units,
                products=CELL_PRODUCTS * units,
                useful=CELL_PRODUCTS * units,
            )
    count = arguments["count"]
    sums = count * (config.lanes if arguments["private"] else config.groups)
    return Work(
        read=sums + count * arguments["biased"],
        written=sums + (0 if arguments["send"] else count * copies),
    )
