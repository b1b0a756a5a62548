"""Random models and inputs for tests, benches and measurements."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from gatewright.sw.bundle import Bundle, Head, LowRank, LstmLayer, Matrix, Product, Projection
from gatewright.sw.numbers import Fixed, hidden_format
from gatewright.sw.rows import gate_rows, slot_rows, word_slots

_EXTREMES = 0.1
"""Share of inputs at an end of their range."""


def random_bundle(
    seed: int,
    *,
    inputs: int = 5,
    hidden: int = 12,
    classes: int = 3,
    kept: int | None = None,
    lanes: int = 8,
    layers: int = 1,
    activation_bits: int = 8,
    frac: int = 9,
    weight_bits: int | tuple[int, int, int] = 8,
    rank: int | None = None,
    projection: int | None = None,
    unbalanced: float | None = None,
) -> Bundle:
    """Make a model with random weights, extremes included, that are balanced over the lanes unless asked otherwise.

    Parameters
    ----------
    seed : int
    inputs, hidden, classes : int
        Elements of x, h and the logits; 0 classes make a model without a head.
    kept : int, optional
        Non-zero weights in each column for each slot of each lane, where a slot has as many rows; else all. Counts
        for W_ih and W_hh, or their second factors.
    lanes : int
        Lanes of one group, that the pattern is balanced for; a multiple of 4.
    layers : int
        Layers, all of the same size.
    activation_bits : int
        Width of x, z, h and y, 8 or 16 bits.
    frac : int
        Fractional bits of an 8-bit W_hh that takes h; the products of W_ih have 3 less than those of W_hh. With 9,
        small models use the gates' whole range but do not saturate them, so that a wrong LSB shows in the results;
        large dense models of 16 bits need less to fit the accumulators. Narrower weights, low rank and
        projections keep the range of the products.
    weight_bits : int or tuple of int
        2, 4 or 8 bits, for all or for W_ih, W_hh with the projection, and the head.
    rank : int, optional
        Makes W_ih and W_hh low-rank products.
    projection : int, optional
        Elements of y; without it there is no projection.
    unbalanced : float, optional
        Share of zeros in all matrices but the head's, anywhere; `kept` is not used then.
    """
    rng = np.random.default_rng(seed)
    draw = _Draw(rng, hidden, lanes, kept, unbalanced)
    input_bits, recurrent_bits, head_bits = (
        (weight_bits,) * 3 if isinstance(weight_bits, int) else weight_bits
    )
    h = hidden_format(activation_bits)
    source, columns = Fixed(activation_bits, activation_bits - 3), inputs
    stack: list[LstmLayer] = []
    for _ in range(layers):
        projected = (
            None if projection is None else Projection(*draw.wide(projection, hidden, recurrent_bits, h))
        )
        outputs, output = (hidden, h) if projected is None else (projected.matrix.rows, projected.format)
        unbiased = LstmLayer(
            input_format=source,
            input=draw.gates(columns, source, input_bits, h.frac + frac - 3, rank),
            recurrent=draw.gates(outputs, output, recurrent_bits, h.frac + frac, rank),
            bias=np.zeros(4 * hidden, dtype=np.int32),
            projection=projected,
        )
        quarter = 1 << (unbiased.accumulator_frac - 2)
        stack.append(dataclasses.replace(unbiased, bias=rng.integers(-quarter, quarter, 4 * hidden)))
        source, columns = output, outputs
    head = None
    if classes:
        reach = 1 << (activation_bits + head_bits)
        head = Head(
            input_format=source,
            matrix=Matrix(_nonzero(rng, (classes, columns), head_bits), Fixed(head_bits, head_bits - 2)),
            bias=rng.integers(-reach, reach, classes),
        )
    return Bundle(
        tuple(stack),
        head,
        rng.normal(size=inputs),
        rng.uniform(0.5, 2, inputs),
        tuple(f"class {k}" for k in range(classes)),
        {"seed": seed},
    )


def random_inputs(seed: int, bundle: Bundle, steps: int, zeros: float = 0.1) -> np.ndarray:
    """Draw one sequence of inputs over their whole range, extremes included, with a share of zeros.

    Parameters
    ----------
    seed : int
    bundle : Bundle
    steps : int
    zeros : float
        Expected share of elements that are exactly zero, beside the few that are zero by chance.

    Returns
    -------
    int64 array [steps, inputs]
    """
    rng = np.random.default_rng(seed)
    low, high = bundle.input_format.min, bundle.input_format.max
    x = rng.integers(low, high + 1, (steps, bundle.input_size))
    x = np.where(rng.random(x.shape) < _EXTREMES, rng.choice([low, high], x.shape), x)
    return np.where(rng.random(x.shape) < zeros, 0, x)


@dataclass(frozen=True)
class _Draw:
    """Draws the weights of the gates of `hidden` units, in the pattern that `random_bundle` describes."""

    rng: np.random.Generator
    hidden: int
    lanes: int
    kept: int | None
    unbalanced: float | None

    def gates(self, columns: int, source: Fixed, bits: int, frac: int, rank: int | None) -> Product:
        """Draw a gate matrix for vectors in format `source`; 8-bit weights give products of `frac` fractional bits."""
        if rank is None:
            return self._tall(columns, source, bits, frac)
        first, middle = self.wide(rank, columns, bits, source)
        return LowRank(first, middle, self._tall(rank, middle, bits, frac))

    def wide(self, rows: int, columns: int, bits: int, source: Fixed) -> tuple[Matrix, Fixed]:
        """Draw a matrix, and a format that its rounded products fill; its frac is not that of `source`."""
        terms = max(2.0, columns * (1 - (self.unbalanced or 0)))
        # Random terms add up by their root; half of that again, as vectors do not fill their own format either.
        growth = bits - 1 + round(math.log2(terms / 2) / 2)
        values = self._thin(_nonzero(self.rng, (rows, columns), bits))
        return Matrix(values, Fixed(bits, growth - 1)), Fixed(source.bits, source.frac - 1)

    def _tall(self, columns: int, source: Fixed, bits: int, frac: int) -> Matrix:
        values = _nonzero(self.rng, (4 * self.hidden, columns), bits)
        balanced = self.kept is not None and self.unbalanced is None
        values = self._balance(values, word_slots(bits)) if balanced else self._thin(values)
        return Matrix(values, Fixed(bits, frac - source.frac - 8 + bits))

    def _thin(self, values: np.ndarray) -> np.ndarray:
        if self.unbalanced is None:
            return values
        return np.where(self.rng.random(values.shape) < self.unbalanced, 0, values)

    def _balance(self, values: np.ndarray, slots: int) -> np.ndarray:
        slot, index = slot_rows(gate_rows(self.hidden, self.lanes), slots)
        # Places without a row rank behind all rows, so that they are never among the kept.
        order = np.full((slots * self.lanes, int(index.max()) + 1, values.shape[1]), 2.0)
        order[slot, index] = self.rng.random(values.shape)
        rank = order.argsort(axis=1).argsort(axis=1)
        return np.where(rank[slot, index] < self.kept, values, 0)


def _nonzero(rng: np.random.Generator, shape: tuple[int, int], bits: int) -> np.ndarray:
    """Draw integers over the whole range of a format but zero, int64."""
    limit = 1 << (bits - 1)
    values = rng.integers(-limit, limit - 1, shape)
    return np.where(values >= 0, values + 1, values)
