"""Random integer models for tests of every room."""

import numpy as np

from gatewright.sw.bundle import Bundle, Head, LstmLayer, Matrix
from gatewright.sw.numbers import Fixed, hidden_format
from gatewright.sw.rows import gate_rows


def balanced_values(rng, shape, kept, placement, bits=8):
    """Random weights with at most `kept` non-zeros in every lane and column; all of them when `kept` is None."""
    limit = 1 << (bits - 1)
    values = rng.integers(-limit, limit, shape)
    if kept is not None:
        lane, _ = placement
        for which in np.unique(lane):
            rows = np.flatnonzero(lane == which)
            for column in range(shape[1]):
                drop = rng.permutation(rows)[kept:]
                values[drop, column] = 0
    return values


def random_bundle(
    seed, *, inputs=5, hidden=12, classes=3, kept=None, lanes=8, layers=1, activation_bits=8, frac=9
):
    """Make a bundle whose gates work over their whole range; `kept` non-zeros per lane and column, or dense."""
    rng = np.random.default_rng(seed)
    source = Fixed(activation_bits, activation_bits - 3)
    made = []
    for _ in range(layers):
        placement = gate_rows(hidden, lanes)
        made.append(
            LstmLayer(
                input_format=source,
                input=Matrix(balanced_values(rng, (4 * hidden, inputs), kept, placement), Fixed(8, frac - 1)),
                recurrent=Matrix(balanced_values(rng, (4 * hidden, hidden), kept, placement), Fixed(8, frac)),
                bias=rng.integers(-(1 << 14), 1 << 14, 4 * hidden),
            )
        )
        inputs, source = hidden, hidden_format(activation_bits)
    head = Head(
        input_format=source,
        matrix=Matrix(rng.integers(-128, 128, (classes, hidden)), Fixed(8, 6)),
        bias=rng.integers(-(1 << 16), 1 << 16, classes),
    )
    size = made[0].input_size
    return Bundle(
        tuple(made),
        head,
        rng.normal(size=size),
        rng.uniform(0.5, 2, size),
        tuple(f"class {k}" for k in range(classes)),
    )


def random_inputs(seed, bundle, steps):
    """Draw one sequence of inputs over their whole range, extremes included: int64 [steps, inputs]."""
    rng = np.random.default_rng(seed)
    format = bundle.input_format
    x = rng.integers(format.min, format.max + 1, (steps, bundle.input_size))
    return np.where(rng.random(x.shape) < 0.1, rng.choice([format.min, 0, format.max], x.shape), x)
