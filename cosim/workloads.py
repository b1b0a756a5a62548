"""Random models and inputs for benches and measurements."""

import numpy as np

from gatewright.sw.bundle import Bundle, Head, LstmLayer, Matrix
from gatewright.sw.numbers import Fixed, hidden_format
from gatewright.sw.rows import gate_rows


def random_model(
    seed: int, *, inputs: int, hidden: int, classes: int, lanes: int, density: float, activation_bits: int = 8
) -> Bundle:
    """Make a one-layer model with random 8-bit weights, balanced over `lanes` lanes in every column.

    Parameters
    ----------
    seed : int
    inputs, hidden, classes : int
        Elements of x, h and the logits.
    lanes : int
        Lanes that the sparsity pattern is balanced for; a multiple of 4.
    density : float
        Share of non-zero weights in the LSTM's matrices; each lane and column keeps at least one.
    activation_bits : int
        Width of x and h.
    """
    rng = np.random.default_rng(seed)
    source, hidden_source = Fixed(activation_bits, activation_bits - 3), hidden_format(activation_bits)
    placement = gate_rows(hidden, lanes)
    layer = LstmLayer(
        input_format=source,
        input=Matrix(_balanced(rng, inputs, placement, density), Fixed(8, 8)),
        recurrent=Matrix(_balanced(rng, hidden, placement, density), Fixed(8, 8)),
        bias=rng.integers(-(1 << 12), 1 << 12, 4 * hidden),
    )
    head = Head(
        input_format=hidden_source,
        matrix=Matrix(rng.integers(-128, 128, (classes, hidden)), Fixed(8, 7)),
        bias=rng.integers(-(1 << 12), 1 << 12, classes),
    )
    labels = tuple(str(k) for k in range(classes))
    return Bundle((layer,), head, np.zeros(inputs), np.ones(inputs), labels, {"seed": seed})


def random_sequences(seed: int, bundle: Bundle, lengths: list[int]) -> list[np.ndarray]:
    """Draw inputs over their whole range: one int64 array [steps, inputs] for each length."""
    rng = np.random.default_rng(seed)
    low, high = bundle.input_format.min, bundle.input_format.max
    return [rng.integers(low, high + 1, (steps, bundle.input_size)) for steps in lengths]


def _balanced(rng: np.random.Generator, columns: int, placement, density: float) -> np.ndarray:
    lane, row = placement
    lanes, rows = int(lane.max()) + 1, int(row.max()) + 1
    kept = max(1, round(density * rows))
    order = rng.random((lanes, rows, columns)).argsort(axis=1)
    values = rng.integers(1, 128, (lanes, rows, columns)) * rng.choice([-1, 1], (lanes, rows, columns))
    return np.where(order < kept, values, 0)[lane, row]
