"""Which lane and which accumulator row each row of a matrix lives in.

Balanced pruning and the compiler's packing both stand on this one mapping.
"""

import numpy as np


def gate_rows(hidden: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Place the rows of a gate matrix: the four gates of a unit sit in the four lanes of one quad.

    Parameters
    ----------
    hidden : int
        Units; the matrix has ``4 * hidden`` rows, gate blocks in the order i f g o.
    lanes : int
        A multiple of 4.

    Returns
    -------
    lane, row : int64 arrays [4*hidden]
        ``lane = 4 * (unit mod quads) + gate`` and ``row = unit // quads``.
    """
    quads = lanes // 4
    gate, unit = np.divmod(np.arange(4 * hidden), hidden)
    return 4 * (unit % quads) + gate, unit // quads


def plain_rows(rows: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Place the rows of any other matrix: ``lane = r mod lanes`` and ``row = r // lanes``."""
    row, lane = np.divmod(np.arange(rows), lanes)
    return lane, row
