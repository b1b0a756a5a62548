"""Layers become ops, and their vectors and matrices get addresses."""

from dataclasses import replace

import numpy as np

from gatewright.hw.compiler.image import Image
from gatewright.hw.compiler.pack import Packed
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import NO_UNITS, Op, Opcode, Unit, When


class Builder:
    """Collects the ops of one time step and the memory contents that they refer to.

    Addresses are handed out from 0 upward in every memory, in the order of the calls. The wait sets
    are what the single set of accumulators needs: no product starts while the drain unit empties
    them, and the drain unit never starts before the last product is written. Only the input of the
    next step runs beside the cell unit.

    Parameters
    ----------
    config : AcceleratorConfig
        Gives lanes and cell lanes; memory depths are not looked at here.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self.activations = 0
        self.states = 0
        self._ops: list[Op] = []
        self._weights: list[np.ndarray] = []
        self._indices: list[np.ndarray] = []
        self._biases: list[np.ndarray] = []

    def vector(self, size: int) -> int:
        """Reserve activations for a vector, in whole words of the memory, and give its address."""
        address = self.activations
        self.activations += -(-size // self.config.cell_lanes) * self.config.cell_lanes
        return address

    def input(self, size: int) -> int:
        """Take one step's input; gives its address."""
        address = self.vector(size)
        self._emit(Opcode.INPUT, {"destination": address, "count": size}, wait=Unit.MATRIX)
        return address

    def matvec(self, packed: Packed, source: int, shift: int, when: When = When.ALWAYS) -> None:
        """Accumulate a matrix times the vector at `source`."""
        arguments = {
            "source": source,
            "columns": packed.columns,
            "entries": packed.entries,
            "weight_base": _length(self._weights),
            "index_base": _length(self._indices),
            "shift": shift,
            "sparse": int(packed.mode == "sparse"),
        }
        self._weights.append(packed.weights)
        self._indices.append(packed.indices)
        self._emit(Opcode.MATVEC, arguments, when, Unit.INPUT | Unit.DRAIN)

    def cell(self, bias: np.ndarray, hidden: int, destination: int, shift: int) -> None:
        """Finish an LSTM layer's step: `bias` [4*hidden], in the gate order of the bundle."""
        units = -(-hidden // self.config.cell_lanes) * self.config.cell_lanes
        by_unit = np.zeros((units, 4), dtype=np.int32)
        by_unit[:hidden] = bias.reshape(4, hidden).T
        groups = units // self.config.cell_lanes
        arguments = {
            "groups": groups,
            "bias_base": self._add_bias(by_unit),
            "state_base": self.states,
            "destination": destination,
            "shift": shift,
        }
        self.states += groups
        self._emit(Opcode.CELL, arguments, wait=Unit.MATRIX | Unit.OUTPUT)

    def logits(self, bias: np.ndarray) -> None:
        """Send the accumulators of a plain matrix to the output stream, in the last step."""
        arguments = {"count": len(bias), "bias_base": self._add_bias(bias)}
        self._emit(Opcode.LOGITS, arguments, When.LAST, Unit.MATRIX | Unit.OUTPUT)

    def output(self, source: int, size: int) -> None:
        """Send a vector to the output stream in every step."""
        self._emit(Opcode.OUTPUT, {"source": source, "count": size}, wait=Unit.DRAIN)

    def image(self) -> Image:
        """Give the memory contents, with the last op marked as the end."""
        lanes = self.config.lanes
        return Image(
            weights=_join(self._weights, lanes, np.uint8),
            indices=_join(self._indices, lanes, np.uint16),
            biases=np.concatenate(self._biases),
            program=(*self._ops[:-1], replace(self._ops[-1], end=True)),
        )

    def _add_bias(self, bias: np.ndarray) -> int:
        """Append biases in drain order, padded to whole groups; gives the first group."""
        width = self.config.drain_lanes
        flat = bias.ravel()
        padded = np.zeros(-(-flat.size // width) * width, dtype=np.int32)
        padded[: flat.size] = flat
        base = sum(len(groups) for groups in self._biases)
        self._biases.append(padded.reshape(-1, width))
        return base

    def _emit(self, opcode: Opcode, arguments: dict, when: When = When.ALWAYS, wait: Unit = NO_UNITS) -> None:
        self._ops.append(Op(opcode, arguments, when, wait))


def _length(parts: list[np.ndarray]) -> int:
    return sum(part.shape[1] for part in parts)


def _join(parts: list[np.ndarray], lanes: int, dtype) -> np.ndarray:
    return np.concatenate([np.zeros((lanes, 0), dtype=dtype), *parts], axis=1)
