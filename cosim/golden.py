"""The golden model: an accelerator's image and program, executed in exact integers by Numba.

It reads the same packed memory words and encoded ops as the RTL and obeys ``docs/numerics.md``. Every memory
access of a program is checked when the model is made, so that the compiled loops need no checks.
"""

from functools import cache

import numpy as np

from gatewright.cosim import kernels
from gatewright.errors import BundleError, DataError
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.interface import JOB
from gatewright.hw.ops import Op, Opcode, When
from gatewright.sw.numbers import GATE, STATE, Fixed, sigmoid, tanh
from gatewright.sw.numbers.reference import PRODUCT_SHIFT

_WHEN = {When.ALWAYS: kernels.ALWAYS, When.CARRIED: kernels.CARRIED, When.LAST: kernels.LAST}

MAX_STEPS = (1 << JOB["steps"].width) - 1
"""Longest sequence of one job."""


class Golden:
    """One accelerator with a model loaded.

    Parameters
    ----------
    compiled : Compiled
        The model, for its configuration.

    Raises
    ------
    BundleError
        The image does not fit the configuration's memories, or the program is empty, has no end, or accesses a
        word outside the memories or the image.
    """

    def __init__(self, compiled: Compiled):
        config, image = compiled.config, compiled.image
        self.config = config
        self._input_format = Fixed(config.activation_bits, 0)
        _check_image(compiled)
        self._ops = _live_ops(image.program)
        for position, op in enumerate(self._ops):
            _check_op(position, op, compiled)
        self._program = np.array([_row(op) for op in self._ops], dtype=np.int64)
        lane = np.arange(config.lanes, dtype=np.uint32)
        sigmoids, tanhs = _tables()
        self._memory = kernels.Memories(
            weights=np.ascontiguousarray(image.weights.view(np.int8).T).ravel(),
            targets=(image.indices.T.astype(np.uint32) * np.uint32(config.lanes) + lane).ravel(),
            biases=image.biases.ravel(),
            accumulators=np.zeros(config.accumulator_rows * config.lanes, dtype=np.int32),
            activations=np.zeros(config.activation_depth, dtype=np.int32),
            states=np.zeros(config.state_depth * config.cell_lanes, dtype=np.int32),
            sigmoid=sigmoids,
            tanh=tanhs,
        )
        hidden = config.hidden_format
        self._machine = kernels.Machine(
            lanes=config.lanes,
            cell_lanes=config.cell_lanes,
            product_shift=PRODUCT_SHIFT,
            state_shift=GATE.frac,
            hidden_shift=2 * GATE.frac - hidden.frac,
            state_min=STATE.min,
            state_max=STATE.max,
            hidden_min=hidden.min,
            hidden_max=hidden.max,
        )

    def run(self, x: np.ndarray, fresh: bool = True) -> np.ndarray:
        """Run one sequence, as one job of the accelerator.

        Parameters
        ----------
        x : int array [steps, inputs]
            Elements of the input stream, in LSB of the model's input format.
        fresh : bool
            Start from a zero state; else carry on from the state that the previous call left.

        Returns
        -------
        int32 array
            Everything on the output stream, in order.

        Raises
        ------
        DataError
            The sequence is empty or too long, holds values that do not fit the activations, or has other elements
            than the program takes.
        """
        x = self.check(x, fresh)
        steps = len(x)
        sent = self._transfers(Opcode.OUTPUT, steps, fresh) + self._transfers(Opcode.LOGITS, steps, fresh)
        results = np.empty(sent, dtype=np.int32)
        stream = np.ascontiguousarray(x, dtype=np.int32).ravel()
        kernels.run_job(self._program, self._memory, self._machine, stream, results, steps, bool(fresh))
        return results

    def check(self, x: np.ndarray, fresh: bool = True) -> np.ndarray:
        """Give a sequence as an array, or raise the error that `run` would raise."""
        x = np.asarray(x)
        if x.ndim != 2 or not np.issubdtype(x.dtype, np.integer):
            raise DataError(f"a sequence must be integers [steps, inputs], not {x.dtype} of shape {x.shape}")
        steps = len(x)
        if not 1 <= steps <= MAX_STEPS:
            raise DataError(f"a sequence must have 1 to {MAX_STEPS} steps, not {steps}")
        taken = self._transfers(Opcode.INPUT, steps, fresh)
        if x.size != taken:
            raise DataError(f"the program takes {taken} input elements in {steps} steps, not {x.size}")
        low, high = self._input_format.min, self._input_format.max
        if x.size and not low <= x.min() <= x.max() <= high:
            raise DataError(f"input elements must be from {low} to {high}, not {x.min()} to {x.max()}")
        return x

    def multiply_accumulates(self, steps: int, fresh: bool = True) -> int:
        """Give the multiply-accumulates of one sequence in all lanes, padding included."""
        return self.config.lanes * sum(
            _runs(op, steps, fresh) * op.arguments["columns"] * op.arguments["entries"]
            for op in self._ops
            if op.opcode == Opcode.MATVEC
        )

    def _transfers(self, opcode: Opcode, steps: int, fresh: bool) -> int:
        return sum(_runs(op, steps, fresh) * op.arguments["count"] for op in self._ops if op.opcode == opcode)


def _runs(op: Op, steps: int, fresh: bool) -> int:
    """How often an op runs in a job."""
    return {When.ALWAYS: steps, When.CARRIED: steps - fresh, When.LAST: 1}[op.when]


def _live_ops(program: tuple[Op, ...]) -> list[Op]:
    """Decode the encoded program up to its end mark."""
    ops = []
    for op in program:
        ops.append(Op.decode(op.encode()))
        if op.end:
            return ops
    raise BundleError(f"the program has {len(program)} ops and none of them is marked as its end")


def _row(op: Op) -> list[int]:
    a = op.arguments
    match op.opcode:
        case Opcode.INPUT:
            row = [kernels.INPUT, a["destination"], a["count"]]
        case Opcode.MATVEC:
            kernel = kernels.SPARSE if a["sparse"] else kernels.DENSE
            row = [
                kernel,
                a["source"],
                a["columns"],
                a["entries"],
                a["weight_base"],
                a["index_base"],
                a["shift"],
            ]
        case Opcode.CELL:
            row = [kernels.CELL, a["groups"], a["bias_base"], a["state_base"], a["destination"], a["shift"]]
        case Opcode.LOGITS:
            row = [kernels.LOGITS, a["count"], a["bias_base"]]
        case Opcode.OUTPUT:
            row = [kernels.OUTPUT, a["source"], a["count"]]
    row.insert(1, _WHEN[op.when])
    return row + [0] * (kernels.ROW_LENGTH - len(row))


def _check_image(compiled: Compiled) -> None:
    config, image = compiled.config, compiled.image
    for name, values, dtype, lanes, depth in (
        ("weights", image.weights, np.uint8, config.lanes, config.weight_depth),
        ("indices", image.indices, np.uint16, config.lanes, config.index_depth),
        ("biases", image.biases.T, np.int32, config.drain_lanes, config.bias_depth),
    ):
        if values.dtype != dtype:
            raise BundleError(f"the image's {name} must be {np.dtype(dtype)}, not {values.dtype}")
        if values.ndim != 2 or values.shape[0] != lanes or values.shape[1] > depth:
            raise BundleError(
                f"the image's {name} must have {lanes} lanes of at most {depth} words, not shape {values.shape}"
            )
    if image.indices.size and image.indices.max() >= config.accumulator_rows:
        raise BundleError(
            f"the image's indices must be below {config.accumulator_rows} accumulator rows, not {image.indices.max()}"
        )
    if len(image.program) > config.program_depth:
        raise BundleError(
            f"the program must have at most {config.program_depth} ops, not {len(image.program)}"
        )


def _check_op(position: int, op: Op, compiled: Compiled) -> None:
    """Refuse an op that reaches outside the memories or reads what the image does not fill."""
    config, image, a = compiled.config, compiled.image, op.arguments
    accumulators = config.accumulator_rows * config.lanes
    match op.opcode:
        case Opcode.INPUT:
            reach = [("activations", a["destination"] + a["count"], config.activation_depth)]
        case Opcode.OUTPUT:
            reach = [("activations", a["source"] + a["count"], config.activation_depth)]
        case Opcode.MATVEC:
            words = a["columns"] * a["entries"]
            reach = [
                ("activations", a["source"] + a["columns"], config.activation_depth),
                ("weight words", a["weight_base"] + words, image.weights.shape[1]),
            ]
            if a["sparse"]:
                reach.append(("index entries", a["index_base"] + words, image.indices.shape[1]))
            else:
                reach.append(("accumulator rows", a["entries"], config.accumulator_rows))
        case Opcode.CELL:
            reach = [
                ("accumulators", a["groups"] * config.drain_lanes, accumulators),
                ("bias groups", a["bias_base"] + a["groups"], len(image.biases)),
                ("state groups", a["state_base"] + a["groups"], config.state_depth),
                ("activations", a["destination"] + a["groups"] * config.cell_lanes, config.activation_depth),
            ]
        case Opcode.LOGITS:
            groups = -(-a["count"] // config.drain_lanes)
            reach = [
                ("accumulators", a["count"], accumulators),
                ("bias groups", a["bias_base"] + groups, len(image.biases)),
            ]
    for what, end, size in reach:
        if end > size:
            raise BundleError(
                f"op {position} ({op.opcode.name}) reaches {what} up to {end}, but there are {size}"
            )


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """σ and tanh of every value of `STATE`, from the lowest up, in LSB of `GATE`."""
    domain = range(STATE.min, STATE.max + 1)
    sigmoids, tanhs = ([function(v) for v in domain] for function in (sigmoid, tanh))
    return np.array(sigmoids, dtype=np.int32), np.array(tanhs, dtype=np.int32)
