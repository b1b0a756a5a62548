"""Matrices, biases, states and vectors get their addresses."""

import numpy as np

from gatewright.hw.compiler.image import Image
from gatewright.hw.compiler.pack import Packed
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Op


class Contents:
    """Collects what the memories hold. Addresses are handed out from 0 upward, in the order of the calls.

    Parameters
    ----------
    config : AcceleratorConfig
        Gives the shapes; memory depths are not looked at here.

    Attributes
    ----------
    vectors, states : int
        Words of the activation memory and groups of cell states so far.
    private_rows : int
        Accumulators that private products count on, with the gates that wait beside them.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self.vectors = 0
        self.states = 0
        self.private_rows = 0
        self._weights: list[np.ndarray] = []
        self._indices: list[np.ndarray] = []
        self._columns: list[np.ndarray] = []
        self._biases: list[np.ndarray] = []

    def vector(self, size: int) -> int:
        """Reserve a vector in the activation memory; gives its first word."""
        word = self.vectors
        self.vectors += -(-size // self.config.lanes)
        return word

    def matrix(self, packed: Packed) -> dict[str, int]:
        """Store a matrix; gives the arguments of `Opcode.MATVEC` that follow from it."""
        arguments = {
            "columns": packed.columns,
            "tail": packed.tail,
            "words": packed.words,
            "weight_base": _length(self._weights),
            "index_base": _length(self._indices),
            "table_base": sum(map(len, self._columns)),
            "split": packed.split,
            "sparse": int(packed.sparse),
            "table": int(packed.table is not None),
            "private": int(packed.private),
        }
        self._weights.append(packed.weights)
        self._indices.append(packed.indices)
        if packed.table is not None:
            self._columns.append(packed.table)
        return arguments

    def bias(self, values: np.ndarray) -> int:
        """Store biases in the order of draining, padded to whole groups; gives the first group."""
        width = self.config.drain_lanes
        flat = values.ravel()
        padded = np.zeros(-(-flat.size // width) * width, dtype=np.int32)
        padded[: flat.size] = flat
        base = sum(map(len, self._biases))
        self._biases.append(padded.reshape(-1, width))
        return base

    def state(self, groups: int) -> int:
        """Reserve groups of cell states; gives the first."""
        base = self.states
        self.states += groups
        return base

    def image(self, program: tuple[Op, ...]) -> Image:
        """Give the memory contents with the program."""
        lanes = self.config.lanes
        return Image(
            weights=_join(self._weights, np.zeros((lanes, 0), dtype=np.uint8), axis=1),
            indices=_join(self._indices, np.zeros((lanes, 0), dtype=np.uint32), axis=1),
            columns=_join(self._columns, np.zeros((0, 2), dtype=np.int64), axis=0),
            biases=_join(self._biases, np.zeros((0, self.config.drain_lanes), dtype=np.int32), axis=0),
            program=program,
        )


def _length(parts: list[np.ndarray]) -> int:
    return sum(part.shape[1] for part in parts)


def _join(parts: list[np.ndarray], nothing: np.ndarray, axis: int) -> np.ndarray:
    return np.concatenate([nothing, *parts], axis=axis)
