"""Which lane and which accumulator row each row of a matrix lives in.

Balanced pruning and the compiler's packing both stand on this one mapping. Its lanes are those of one group: every
group of lanes holds all rows.
"""

import numpy as np


def gate_rows(hidden: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Place the rows of a gate matrix: the four gates of a unit sit in the four lanes of one quad.

    Parameters
    ----------
    hidden : int
        Units; the matrix has ``4 * hidden`` rows, gate blocks in the order i f g o.
    lanes : int
        Lanes of one group, a multiple of 4.

    Returns
    -------
    lane, row : int64 arrays [4*hidden]
        ``lane = 4 * (unit mod quads) + gate`` and ``row = unit // quads``.
    """
    quads = lanes // 4
    gate, unit = np.divmod(np.arange(4 * hidden), hidden)
    return 4 * (unit % quads) + gate, unit // quads


def plain_rows(rows: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Place the rows of any other matrix on the lanes of one group: ``lane = r mod lanes`` and ``row = r // lanes``."""
    row, lane = np.divmod(np.arange(rows), lanes)
    return lane, row


def word_slots(weight_bits: int) -> int:
    """Give how many weights of 2, 4 or 8 bits an 8-bit word of a weight memory holds: its slots."""
    return 8 // weight_bits


def slot_rows(placement: tuple[np.ndarray, np.ndarray], slots: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide the rows of every lane among the slots of its weight words: row r is in slot ``r mod slots``.

    Parameters
    ----------
    placement : pair of int64 arrays [rows]
        Lane and row of each matrix row, as `gate_rows` and `plain_rows` give them.
    slots : int
        Weights in each word of a weight memory: 1, 2 or 4.

    Returns
    -------
    slot, index : int64 arrays [rows]
        ``slot = slots * lane + row mod slots``, counted over all lanes, and ``index = row // slots``.
    """
    lane, row = placement
    return slots * lane + row % slots, row // slots
