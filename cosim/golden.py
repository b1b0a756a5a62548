"""The golden model: an accelerator's image and program, executed in exact integers by Numba.

It reads the same packed memory words and encoded ops as the RTL and obeys ``docs/numerics.md``. Every memory
access of a program is checked when the model is made, so that the compiled loops need no checks.
"""

from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple, overload

import numpy as np

from gatewright.cosim import kernels
from gatewright.cosim.program import check_reach, check_regions, check_vectors, live_ops
from gatewright.errors import DataError
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.compiler.unpack import Unpacked, unpack_all
from gatewright.hw.interface import JOB
from gatewright.hw.ops import ARGUMENTS, Op, Opcode, When
from gatewright.sw.numbers import GATE, STATE, Fixed, sigmoid, tanh
from gatewright.sw.numbers.reference import PRODUCT_SHIFT

_WHEN = {
    When.ALWAYS: kernels.ALWAYS,
    When.CARRIED: kernels.CARRIED,
    When.FIRST: kernels.FIRST,
    When.LAST: kernels.LAST,
    When.NOT_LAST: kernels.NOT_LAST,
}

_KERNEL = {
    Opcode.INPUT: kernels.INPUT,
    Opcode.MATVEC: kernels.DENSE,
    Opcode.CELL: kernels.CELL,
    Opcode.REDUCE: kernels.REDUCE,
    Opcode.OUTPUT: kernels.OUTPUT,
}

_RECORD = np.dtype(
    [
        (name, np.int64)
        for name in (
            "kernel",
            "when",
            "first_step",
            *sorted({name for fields in ARGUMENTS.values() for name in fields}),
        )
    ]
)
"""One op for the compiled loops; arguments that it does not have are zero."""

MAX_STEPS = (1 << JOB["steps"].width) - 1
"""Longest sequence of one job."""


class Trace(NamedTuple):
    """The zero activations of one job.

    Parameters
    ----------
    flags : uint8 array
        For each column step of each ``MATVEC`` in broadcast orientation, in the order of execution, whether any of its
        elements is non-zero.
    offsets : int64 array [executed + 1]
        The first flag of each executed op, and their end.
    inputs : bool array [elements]
        For each element of x, whether it is zero.
    drained : int64 array [writes, 2]
        For each write of a ``CELL`` or ``REDUCE``, the elements and the zeros among them.
    """

    flags: np.ndarray
    offsets: np.ndarray
    inputs: np.ndarray
    drained: np.ndarray

    @property
    def zero_share(self) -> float:
        """Share of zeros among all activations that are written."""
        elements, zeros = self.drained.sum(axis=0).tolist() if len(self.drained) else (0, 0)
        return (zeros + int(self.inputs.sum())) / (elements + len(self.inputs))


class Golden:
    """One accelerator with a model loaded. Its vectors and accumulators are zero at first, and stay from job to job.

    Parameters
    ----------
    compiled : Compiled
        The model, for its configuration.

    Raises
    ------
    BundleError
        The program has no end, accesses a word outside the memories or the image, or has no defined result.
    """

    def __init__(self, compiled: Compiled):
        config = compiled.config
        self.config = config
        self._input_format = Fixed(config.activation_bits, 0)
        self._ops = live_ops(compiled.image.program)
        check_reach(self._ops, compiled)
        check_vectors(self._ops, config)
        self._matrices = unpack_all(self._ops, compiled)
        check_regions(self._ops, self._matrices, config)
        weights, targets, starts, first_steps = _join(self._matrices, config.lanes)
        self._program = _records(self._ops, self._matrices, first_steps)
        sigmoids, tanhs = _tables()
        self._memory = kernels.Memories(
            weights=weights.ravel(),
            targets=targets.ravel(),
            starts=(starts * config.lanes).astype(np.uint64),
            biases=np.ascontiguousarray(compiled.image.biases).ravel(),
            accumulators=np.zeros((2, config.accumulator_rows * config.lanes), dtype=np.int32),
            activations=np.zeros(config.activation_depth, dtype=np.int32),
            states=np.zeros(config.state_depth * config.cell_lanes, dtype=np.int32),
            sigmoid=sigmoids,
            tanh=tanhs,
        )
        hidden = config.hidden_format
        self._machine = kernels.Machine(
            lanes=config.lanes,
            groups=config.groups,
            cell_lanes=config.cell_lanes,
            product_shift=PRODUCT_SHIFT,
            state_shift=GATE.frac,
            hidden_shift=2 * GATE.frac - hidden.frac,
            state_min=STATE.min,
            state_max=STATE.max,
            activation_min=hidden.min,
            activation_max=hidden.max,
        )

    @overload
    def run(self, x: np.ndarray, fresh: bool = True, *, trace: Literal[False] = False) -> np.ndarray: ...

    @overload
    def run(self, x: np.ndarray, fresh: bool = True, *, trace: Literal[True]) -> tuple[np.ndarray, Trace]: ...

    def run(self, x, fresh=True, *, trace=False):
        """Run one sequence, as one job of the accelerator.

        Parameters
        ----------
        x : int array [steps, inputs]
            Elements of the input stream, in LSB of the model's input format.
        fresh : bool
            Start from a zero state; else carry on from the state that the previous call left.
        trace : bool
            Give the activation trace as well, on which the cycles of skipping zeros depend.

        Returns
        -------
        results : int32 array
            Everything on the output stream, in order.
        trace : Trace
            Only where asked for.

        Raises
        ------
        DataError
            The sequence is empty or too long, holds values that do not fit the activations, or has other elements
            than the program takes.
        """
        x = self.check(x, fresh)
        steps, fresh = len(x), bool(fresh)
        sent = self._total(_sent, steps, fresh)
        results = np.empty(sent, dtype=np.int32)
        offsets = self._trace_offsets(steps, fresh) if trace else np.zeros(1, dtype=np.int64)
        flags = np.empty(offsets[-1], dtype=np.uint8)
        writes = self._total(_drained, steps, fresh) if trace else 0
        drained = np.zeros((writes, 2), dtype=np.int64)
        stream = np.ascontiguousarray(x, dtype=np.int32).ravel()
        kernels.run_job(
            self._program, self._memory, self._machine, stream, results, flags, drained, steps, fresh
        )
        return (results, Trace(flags, offsets, stream == 0, drained)) if trace else results

    def check(self, x: np.ndarray, fresh: bool = True) -> np.ndarray:
        """Give a sequence as an array, or raise the error that `run` would raise."""
        x = np.asarray(x)
        if x.ndim != 2 or not np.issubdtype(x.dtype, np.integer):
            raise DataError(f"a sequence must be integers [steps, inputs], not {x.dtype} of shape {x.shape}")
        steps = len(x)
        if not 1 <= steps <= MAX_STEPS:
            raise DataError(f"a sequence must have 1 to {MAX_STEPS} steps, not {steps}")
        taken = self._total(_taken, steps, bool(fresh))
        if x.size != taken:
            raise DataError(f"the program takes {taken} input elements in {steps} steps, not {x.size}")
        low, high = self._input_format.min, self._input_format.max
        if x.size and not low <= x.min() <= x.max() <= high:
            raise DataError(f"input elements must be from {low} to {high}, not {x.min()} to {x.max()}")
        return x

    def multiply_accumulates(self, steps: int, fresh: bool = True) -> int:
        """Give the multiply-accumulates of one sequence in all lanes, padding and zero activations included."""
        return sum(
            len(_when(op, steps, fresh)) * matrix.weights.size
            for op, matrix in zip(self._ops, self._matrices, strict=True)
            if matrix
        )

    def _total(self, elements: Callable[[Op], int], steps: int, fresh: bool) -> int:
        return sum(len(_when(op, steps, fresh)) * elements(op) for op in self._ops)

    def _trace_offsets(self, steps: int, fresh: bool) -> np.ndarray:
        traced = [op for op in self._ops if op.opcode == Opcode.MATVEC and not op.arguments["private"]]
        columns = np.array([op.arguments["columns"] for op in traced], dtype=np.int64)
        runs = np.zeros((steps, len(traced)), dtype=bool)
        for position, op in enumerate(traced):
            runs[_when(op, steps, fresh), position] = True
        return np.concatenate([[0], np.broadcast_to(columns, runs.shape)[runs].cumsum()])


def _when(op: Op, steps: int, fresh: bool) -> range:
    """Give the steps of a job in which an op runs."""
    match op.when:
        case When.ALWAYS:
            return range(steps)
        case When.CARRIED:
            return range(fresh, steps)
        case When.FIRST:
            return range(1)
        case When.LAST:
            return range(steps - 1, steps)
        case When.NOT_LAST:
            return range(steps - 1)


def _taken(op: Op) -> int:
    return op.arguments["count"] if op.opcode == Opcode.INPUT else 0


def _sent(op: Op) -> int:
    sends = op.opcode == Opcode.OUTPUT or (op.opcode == Opcode.REDUCE and op.arguments["send"])
    return op.arguments["count"] if sends else 0


def _drained(op: Op) -> int:
    """Give the writes of a drain op to a vector."""
    match op.opcode:
        case Opcode.CELL:
            return op.arguments["groups"]
        case Opcode.REDUCE if not op.arguments["send"]:
            return op.arguments["count"]
    return 0


def _join(
    matrices: list[Unpacked | None], lanes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[int, int]]:
    """Give weights and targets of all matrices as rows of lanes, the starts, and each matrix's first step by its id."""
    distinct = {id(matrix): matrix for matrix in matrices if matrix}
    weights: list[np.ndarray] = [np.zeros((0, lanes), dtype=np.int8)]
    targets: list[np.ndarray] = [np.zeros((0, lanes), dtype=np.uint32)]
    starts: list[np.ndarray] = [np.zeros(0, dtype=np.int64)]
    first_steps, row, step = {}, 0, 0
    for matrix in sorted(distinct.values(), key=lambda matrix: matrix.targets is None):
        first_steps[id(matrix)] = step
        weights.append(matrix.weights)
        starts.append(matrix.starts + row)
        if matrix.targets is not None:
            targets.append(matrix.targets * np.uint32(lanes) + np.arange(lanes, dtype=np.uint32))
        row += len(matrix.weights)
        step += len(matrix.starts)
    return np.concatenate(weights), np.concatenate(targets), np.concatenate(starts), first_steps


def _records(ops: list[Op], matrices: list[Unpacked | None], first_steps: dict[int, int]) -> np.ndarray:
    program = np.zeros(len(ops), dtype=_RECORD)
    for record, op, matrix in zip(program, ops, matrices, strict=True):
        record["kernel"], record["when"] = _KERNEL[op.opcode], _WHEN[op.when]
        for name, value in op.arguments.items():
            record[name] = value
        if matrix:
            record["first_step"] = first_steps[id(matrix)]
            if matrix.targets is not None:
                record["kernel"] = kernels.SPARSE
    return program


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """σ and tanh of every value of `STATE`, from the lowest up, in LSB of `GATE`."""
    domain = range(STATE.min, STATE.max + 1)
    sigmoids, tanhs = ([function(v) for v in domain] for function in (sigmoid, tanh))
    return np.array(sigmoids, dtype=np.int32), np.array(tanhs, dtype=np.int32)
