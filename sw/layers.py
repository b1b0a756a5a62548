"""The parts of the integer model: LSTM layers with their projections, and the head."""

from dataclasses import dataclass

import numpy as np

from gatewright.errors import BundleError
from gatewright.sw.numbers import ACCUMULATOR, MAX_ALIGNMENT, STATE, Fixed, hidden_format
from gatewright.sw.products import (
    MAX_SHIFT,
    Matrix,
    Product,
    Stage,
    accumulator_bounds,
    check_product,
    check_rounding,
    inner_bounds,
    prove_accumulators,
    rounded_bounds,
    rounding,
)

GATES = ("input", "forget", "cell", "output")
"""Order of the gate blocks in the rows of gate matrices: i f g o, as in PyTorch."""


@dataclass(frozen=True)
class Projection:
    """The recurrent projection of an LSTM layer (LSTMP): ``y = matrix · h``, rounded and saturated to `format`.

    Parameters
    ----------
    matrix : Matrix [outputs, hidden]
    format : Fixed
        Format of y; as many bits as h.
    """

    matrix: Matrix
    format: Fixed

    def shift(self, source: Fixed) -> int:
        """Rounding right shift that makes y of a vector in format `source`, in bits."""
        return Stage(self.matrix, source).shift(self.format)


@dataclass(frozen=True)
class LstmLayer:
    """One LSTM layer in integers.

    Parameters
    ----------
    input_format : Fixed
        Format of the layer's input x.
    input : Product [4*hidden, inputs]
        W_ih, gate blocks in the order i f g o.
    recurrent : Product [4*hidden, outputs]
        W_hh, same row order; takes h, or y where there is a projection.
    bias : int32 array [4*hidden]
        Sum of both biases, in LSB of the accumulator (2**-accumulator_frac).
    projection : Projection, optional
        Makes the layer's output y of h; without it the output is h.

    Raises
    ------
    BundleError
        Shapes, ranges or formats disagree.
    AccumulatorOverflowError
        Some input could overflow a 32-bit accumulator.
    """

    input_format: Fixed
    input: Product
    recurrent: Product
    bias: np.ndarray
    projection: Projection | None = None

    def __post_init__(self):
        rows = self.recurrent.rows
        outputs, of = self.hidden_size, "hidden"
        if self.projection is not None:
            outputs, of = self.projection.matrix.rows, "outputs"
            if self.projection.matrix.columns != self.hidden_size:
                raise BundleError(
                    f"the projection must take {self.hidden_size} hidden values, not {self.projection.matrix.columns}"
                )
        if rows % 4 or self.recurrent.columns != outputs or self.input.rows != rows:
            raise BundleError(
                f"an LSTM layer needs W_ih [4*hidden, inputs] and W_hh [4*hidden, {of}], not "
                f"{self.input.rows, self.input.columns} and {self.recurrent.rows, self.recurrent.columns}"
            )
        object.__setattr__(self, "bias", _bias(self.bias, rows, "LSTM"))
        check_product("W_ih", self.input, self.input_format)
        check_product("W_hh", self.recurrent, self.output_format)
        for what, shift in (("W_ih", self.input_shift), ("W_hh", self.recurrent_shift)):
            if shift > MAX_ALIGNMENT:
                raise BundleError(
                    f"the products of {what} have {shift} fractional bits fewer than the accumulators, at most "
                    f"{MAX_ALIGNMENT} can be aligned: use more for {what}, or fewer for the other matrix"
                )
        if self.requantise_shift > MAX_SHIFT:
            raise BundleError(
                f"the accumulators have {self.accumulator_frac} fractional bits, at most {STATE.frac + MAX_SHIFT} can "
                "be rounded: use fewer for the weights"
            )
        prove_accumulators("LSTM layer", self._gate_bounds)
        if self.projection is not None:
            check_rounding("projection", self._projection_stage, self.output_format)

    @property
    def input_size(self) -> int:
        """Elements of x."""
        return self.input.columns

    @property
    def hidden_size(self) -> int:
        """Elements of h."""
        return self.recurrent.rows // 4

    @property
    def output_size(self) -> int:
        """Elements of the layer's output: y, or h."""
        return self.recurrent.columns

    @property
    def hidden_format(self) -> Fixed:
        """Format of h; it has as many bits as x."""
        return hidden_format(self.input_format.bits)

    @property
    def output_format(self) -> Fixed:
        """Format of the layer's output: y, or h."""
        return self.hidden_format if self.projection is None else self.projection.format

    @property
    def accumulator_frac(self) -> int:
        """Fractional bits of accumulators and bias: those of the finer product, at least those of `STATE`."""
        return max(self._input_stage.frac, self._recurrent_stage.frac, STATE.frac)

    @property
    def input_shift(self) -> int:
        """Left shift that aligns the products of W_ih, in bits."""
        return self.accumulator_frac - self._input_stage.frac

    @property
    def recurrent_shift(self) -> int:
        """Left shift that aligns the products of W_hh, in bits."""
        return self.accumulator_frac - self._recurrent_stage.frac

    @property
    def requantise_shift(self) -> int:
        """Rounding right shift from the accumulator to a pre-activation, in bits."""
        return self.accumulator_frac - STATE.frac

    @property
    def rounding(self) -> int:
        """What is added to the accumulator, beside the bias, so that `requantise_shift` rounds half up."""
        return rounding(self.requantise_shift)

    @property
    def projection_shift(self) -> int:
        """Rounding right shift from the projection's accumulators to y, in bits; 0 without a projection."""
        return 0 if self.projection is None else self.projection.shift(self.hidden_format)

    @property
    def accumulator_bound(self) -> int:
        """Magnitude that no accumulator of the layer can exceed, whatever its input."""
        bounds = [
            self._gate_bounds,
            inner_bounds(self.input, self.input_format),
            inner_bounds(self.recurrent, self.output_format),
        ]
        if self.projection is not None:
            bounds.append(rounded_bounds(self._projection_stage, self.output_format))
        return int(np.concatenate(bounds).max())

    @property
    def _gate_bounds(self) -> np.ndarray:
        return accumulator_bounds(
            self.bias,
            self.rounding,
            (self._input_stage, self.input_shift),
            (self._recurrent_stage, self.recurrent_shift),
        )

    @property
    def _projection_stage(self) -> Stage:
        assert self.projection is not None
        return Stage(self.projection.matrix, self.hidden_format)

    @property
    def _input_stage(self) -> Stage:
        return self.input.stages(self.input_format)[-1]

    @property
    def _recurrent_stage(self) -> Stage:
        return self.recurrent.stages(self.output_format)[-1]


@dataclass(frozen=True)
class Head:
    """The linear layer behind the last layer; its logits stay 32-bit accumulators.

    Parameters
    ----------
    input_format : Fixed
        Format of the last layer's output.
    matrix : Product [classes, outputs]
        Output weights.
    bias : int32 array [classes]
        In LSB of the accumulator, 2**-logit_frac.
    """

    input_format: Fixed
    matrix: Product
    bias: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "bias", _bias(self.bias, self.matrix.rows, "head"))
        check_product("head", self.matrix, self.input_format)
        prove_accumulators("head", self._bounds)

    @property
    def logit_frac(self) -> int:
        """Fractional bits of the logits."""
        return self._stage.frac

    @property
    def accumulator_bound(self) -> int:
        """Magnitude that no accumulator of the head can exceed, whatever its input."""
        return int(np.concatenate([self._bounds, inner_bounds(self.matrix, self.input_format)]).max())

    @property
    def _bounds(self) -> np.ndarray:
        return accumulator_bounds(self.bias, 0, (self._stage, 0))

    @property
    def _stage(self) -> Stage:
        return self.matrix.stages(self.input_format)[-1]


def _bias(values: np.ndarray, rows: int, what: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (rows,) or not np.issubdtype(values.dtype, np.integer):
        raise BundleError(f"{what} bias must be {rows} integers, not {values.dtype} of shape {values.shape}")
    if values.min() < ACCUMULATOR.min or values.max() > ACCUMULATOR.max:
        raise BundleError(
            f"{what} bias must fit {ACCUMULATOR.bits} bits, not {values.min()} to {values.max()}"
        )
    return values.astype(np.int32)
