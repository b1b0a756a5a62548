"""Cycles of lanes that never idle, for the work of a compiled model."""

import numpy as np

from gatewright.hw.compiler.image import Compiled
from gatewright.hw.compiler.unpack import unpack_all


def column_cycles(compiled: Compiled) -> dict[int, np.ndarray]:
    """Return the ideal cycles of every column step of each ``MATVEC``, by its place in the program.

    The true non-zero weights of the step, over those that the lanes can take in a cycle: as many each as a word has.
    """
    program = compiled.image.program
    cycles = {}
    for place, matrix in enumerate(unpack_all(list(program), compiled)):
        if matrix is not None:
            useful = np.count_nonzero(matrix.weights, axis=1)
            before = np.concatenate([[0], useful.cumsum()])[matrix.starts]
            slots = 1 << program[place].arguments["split"]
            cycles[place] = np.diff(before) / (compiled.config.lanes * slots)
    return cycles
