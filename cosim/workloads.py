"""Random models and inputs for tests, benches and measurements."""

import numpy as np

from gatewright.sw.bundle import Bundle, Head, LstmLayer, Matrix
from gatewright.sw.numbers import Fixed, hidden_format
from gatewright.sw.rows import gate_rows


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
) -> Bundle:
    """Make a model with random 8-bit weights, extremes included, that are balanced over the lanes.

    Parameters
    ----------
    seed : int
    inputs, hidden, classes : int
        Elements of x, h and the logits.
    kept : int, optional
        Non-zero weights in each lane and column of the gate matrices, where a lane has as many rows; else all.
    lanes : int
        Lanes that the pattern is balanced for; a multiple of 4.
    layers : int
        Layers, all of the same hidden size.
    activation_bits : int
        Width of x and h, 8 or 16 bits.
    frac : int
        Fractional bits of W_hh; W_ih has one less. With 9, small models use the gates' whole range but do not
        saturate them, so that a wrong LSB shows in the results.
    """
    rng = np.random.default_rng(seed)
    source = Fixed(activation_bits, activation_bits - 3)
    columns, stack = inputs, []
    for _ in range(layers):
        stack.append(
            LstmLayer(
                input_format=source,
                input=Matrix(_balanced(rng, hidden, columns, lanes, kept), Fixed(8, frac - 1)),
                recurrent=Matrix(_balanced(rng, hidden, hidden, lanes, kept), Fixed(8, frac)),
                bias=rng.integers(-(1 << 14), 1 << 14, 4 * hidden),
            )
        )
        columns, source = hidden, hidden_format(activation_bits)
    head = Head(
        input_format=source,
        matrix=Matrix(rng.integers(-128, 128, (classes, hidden)), Fixed(8, 6)),
        bias=rng.integers(-(1 << 16), 1 << 16, classes),
    )
    return Bundle(
        tuple(stack),
        head,
        rng.normal(size=inputs),
        rng.uniform(0.5, 2, inputs),
        tuple(f"class {k}" for k in range(classes)),
        {"seed": seed},
    )


def random_inputs(seed: int, bundle: Bundle, steps: int) -> np.ndarray:
    """Draw one sequence of inputs over their whole range, extremes and zeros included: int64 [steps, inputs]."""
    rng = np.random.default_rng(seed)
    low, high = bundle.input_format.min, bundle.input_format.max
    x = rng.integers(low, high + 1, (steps, bundle.input_size))
    return np.where(rng.random(x.shape) < 0.1, rng.choice([low, 0, high], x.shape), x)


def _balanced(
    rng: np.random.Generator, hidden: int, columns: int, lanes: int, kept: int | None
) -> np.ndarray:
    """Draw a gate matrix [4*hidden, columns] of int64, -128 to 127, non-zero where it is kept."""
    lane, row = gate_rows(hidden, lanes)
    shape = (lanes, int(row.max()) + 1, columns)
    values = rng.integers(-128, 128, shape)
    values[values == 0] = -128
    if kept is not None:
        # Places without a row rank behind all rows, so that they are never among the kept.
        rank = np.full(shape, 2.0)
        rank[lane, row] = rng.random((4 * hidden, columns))
        values[rank.argsort(axis=1).argsort(axis=1) >= kept] = 0
    return values[lane, row]
