"""Integer matrices, low-rank pairs of them, and the proof that their accumulators cannot overflow."""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gatewright.errors import AccumulatorOverflowError, BundleError
from gatewright.sw.numbers import ACCUMULATOR, Fixed

MAX_SHIFT = 31
"""Largest rounding right shift of an accumulator, in bits."""


@dataclass(frozen=True)
class Matrix:
    """An integer matrix: ``W = values * 2**-format.frac``.

    Parameters
    ----------
    values : int8 array [rows, columns]
        Entries in LSB of `format`; zeros are prunable in sparse mode.
    format : Fixed
        2, 4 or 8 bits.
    """

    values: np.ndarray
    format: Fixed

    def __post_init__(self):
        values = np.asarray(self.values)
        if self.format.bits not in (2, 4, 8):
            raise BundleError(f"weights must have 2, 4 or 8 bits, not {self.format.bits}")
        if values.ndim != 2 or values.size == 0:
            raise BundleError(f"a matrix must have two non-empty dimensions, not shape {values.shape}")
        if not np.issubdtype(values.dtype, np.integer):
            raise BundleError(f"a matrix must hold integers, not {values.dtype}")
        if values.min() < self.format.min or values.max() > self.format.max:
            raise BundleError(
                f"weights of {self.format.bits} bits must be from {self.format.min} to {self.format.max}, "
                f"not {values.min()} to {values.max()}"
            )
        object.__setattr__(self, "values", values.astype(np.int8))

    @property
    def rows(self) -> int:
        """Number of outputs."""
        return self.values.shape[0]

    @property
    def columns(self) -> int:
        """Number of inputs."""
        return self.values.shape[1]

    @property
    def nonzeros(self) -> int:
        """Entries that are not zero: the useful multiply-accumulates of one product."""
        return int(np.count_nonzero(self.values))

    @property
    def density(self) -> float:
        """Share of entries that are not zero."""
        return self.nonzeros / self.values.size

    def stages(self, source: Fixed) -> tuple["Stage", ...]:
        """Give the one multiplication that the product with a vector in format `source` takes."""
        return (Stage(self, source),)

    def real(self) -> np.ndarray:
        """Give the matrix in real numbers, float64 [rows, columns]."""
        return self.format.real(self.values)


@dataclass(frozen=True)
class LowRank:
    """A matrix as the product of two: ``second · z`` with ``z = first · v``, rounded and saturated to `middle`.

    Parameters
    ----------
    first : Matrix [rank, columns]
    middle : Fixed
        Format of z; as many bits as v.
    second : Matrix [rows, rank]
    """

    first: Matrix
    middle: Fixed
    second: Matrix

    def __post_init__(self):
        if self.first.rows != self.second.columns:
            raise BundleError(
                f"a low-rank product needs first [rank, columns] and second [rows, rank], "
                f"not {self.first.values.shape} and {self.second.values.shape}"
            )

    @property
    def rows(self) -> int:
        """Number of outputs."""
        return self.second.rows

    @property
    def columns(self) -> int:
        """Number of inputs."""
        return self.first.columns

    @property
    def rank(self) -> int:
        """Elements of z."""
        return self.first.rows

    @property
    def nonzeros(self) -> int:
        """Entries of both factors that are not zero: the useful multiply-accumulates of one product."""
        return self.first.nonzeros + self.second.nonzeros

    def stages(self, source: Fixed) -> tuple["Stage", ...]:
        """Give the two multiplications that the product with a vector in format `source` takes."""
        return Stage(self.first, source), Stage(self.second, self.middle)

    def shift(self, source: Fixed) -> int:
        """Rounding right shift that makes z of a vector in format `source`, in bits."""
        return Stage(self.first, source).shift(self.middle)

    def real(self) -> np.ndarray:
        """Give the product of the factors in real numbers, float64 [rows, columns]."""
        return self.second.real() @ self.first.real()


Product = Matrix | LowRank
"""What a vector is multiplied with."""


class Stage(NamedTuple):
    """One exact multiplication with a vector in format `source`.

    Between two stages of a product, accumulators are rounded and saturated to the next stage's `source`.
    """

    matrix: Matrix
    source: Fixed

    @property
    def frac(self) -> int:
        """Fractional bits of the accumulators."""
        return self.source.frac + self.matrix.format.frac

    def shift(self, target: Fixed) -> int:
        """Rounding right shift from the accumulators to `target`, in bits."""
        return self.frac - target.frac


def rounding(shift: int) -> int:
    """Give the constant that makes a right shift round half up."""
    return (1 << shift) >> 1


def check_product(what: str, product: Product, source: Fixed) -> None:
    """Hold every rounding between the stages of a product to what the accelerator can do."""
    for stage, after in pairwise(product.stages(source)):
        check_rounding(f"z of {what}", stage, after.source)


def check_rounding(what: str, stage: Stage, target: Fixed) -> None:
    """Hold the rounding of a stage's accumulators to a vector in format `target` to what the accelerator can do."""
    if target.bits != stage.source.bits:
        raise BundleError(f"{what} must have {stage.source.bits} bits, as its input has, not {target.bits}")
    shift = stage.shift(target)
    if not 0 <= shift <= MAX_SHIFT:
        raise BundleError(
            f"{what} must have from {stage.frac - MAX_SHIFT} to {stage.frac} fractional bits, not {target.frac}"
        )
    prove_accumulators(what, rounded_bounds(stage, target))


def rounded_bounds(stage: Stage, target: Fixed) -> np.ndarray:
    """Give `accumulator_bounds` of a stage whose sums have no bias and are rounded to a vector in format `target`."""
    return accumulator_bounds(0, rounding(stage.shift(target)), (stage, 0))


def inner_bounds(product: Product, source: Fixed) -> np.ndarray:
    """Give `accumulator_bounds` of all stages of a product but the last; none if it has one stage."""
    stages = pairwise(product.stages(source))
    return np.concatenate([np.zeros(0, object), *(rounded_bounds(s, after.source) for s, after in stages)])


def accumulator_bounds(bias: np.ndarray | int, margin: int, *parts: tuple[Stage, int]) -> np.ndarray:
    """Give what no accumulator can exceed, row by row: Σ|w|·|x|max·2^shift + |bias| + margin, exact integers.

    Each part is (stage, left shift). The magnitude -2^(n-1) of the stage's input
    is counted, so the bound holds for any integers, not only likely ones.
    """
    bound = np.abs(np.asarray(bias, dtype=object)) + margin
    for (matrix, source), shift in parts:
        row_sums = np.abs(matrix.values.astype(np.int64)).sum(axis=1).astype(object)
        bound = bound + row_sums * (-source.min << shift)
    return bound


def prove_accumulators(what: str, bounds: np.ndarray) -> None:
    """Show that no input can overflow an accumulator of 32 bits, from its `accumulator_bounds`."""
    worst = int(np.argmax(bounds))
    if bounds[worst] > ACCUMULATOR.max:
        raise AccumulatorOverflowError(
            f"{what}: row {worst} can reach {bounds[worst]}, beyond the accumulator's {ACCUMULATOR.max}; "
            "use fewer fractional bits for the weights or the input, or smaller weights"
        )
