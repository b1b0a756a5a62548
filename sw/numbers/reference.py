"""The arithmetic of ``docs/numerics.md`` in plain Python integers: slow, and the authority.

Every function takes and gives lists of Python integers. The other four
implementations (torch, Numba, Amaranth's simulator, Verilog) are held against it.
"""

from typing import NamedTuple

from gatewright.sw.numbers.formats import GATE, STATE, Fixed
from gatewright.sw.numbers.rounding import round_shift
from gatewright.sw.numbers.sigma import sigmoid, tanh

PRODUCT_SHIFT = GATE.frac - STATE.frac
"""Right shift that brings i·g to the scale of f·c, in bits."""


class CellOutput(NamedTuple):
    """Result of one LSTM unit in one step: h in LSB of the hidden format, c in LSB of `STATE`."""

    h: int
    c: int


def matvec(matrix: list[list[int]], vector: list[int]) -> list[int]:
    """Multiply exactly: one accumulator per row."""
    return [sum(w * x for w, x in zip(row, vector, strict=True)) for row in matrix]


def requantise(accumulator: int, shift: int, target: Fixed) -> int:
    """Round an accumulator (with its bias) half up by `shift` bits and saturate it to `target`."""
    return target.saturate(round_shift(accumulator, shift))


def cell(i: int, f: int, g: int, o: int, c: int, hidden: Fixed) -> CellOutput:
    """Update one unit from its four pre-activations and its cell state, all in LSB of `STATE`."""
    gate_i, gate_f, gate_o = sigmoid(i), sigmoid(f), sigmoid(o)
    kept = gate_f * c
    added = round_shift(gate_i * tanh(g), PRODUCT_SHIFT)
    c = STATE.saturate(round_shift(kept + added, GATE.frac))
    h = hidden.saturate(round_shift(gate_o * tanh(c), 2 * GATE.frac - hidden.frac))
    return CellOutput(h, c)


def lstm_step(layer, x: list[int], h: list[int], c: list[int]) -> tuple[list[int], list[int]]:
    """Advance one layer (an `LstmLayer`) by one step: new h and c."""
    size = layer.hidden_size
    from_input = matvec(layer.input.values.tolist(), x)
    from_hidden = matvec(layer.recurrent.values.tolist(), h)
    pre = [
        requantise(
            (a << layer.input_shift) + (b << layer.recurrent_shift) + bias, layer.requantise_shift, STATE
        )
        for a, b, bias in zip(from_input, from_hidden, layer.bias.tolist(), strict=True)
    ]
    units = [
        cell(pre[u], pre[size + u], pre[2 * size + u], pre[3 * size + u], c[u], layer.hidden_format)
        for u in range(size)
    ]
    return [unit.h for unit in units], [unit.c for unit in units]


class Result(NamedTuple):
    """Result of one sequence: hidden vectors of the last layer, one list per step, and the logits."""

    hidden: list[list[int]]
    logits: list[int]


def run(bundle, inputs: list[list[int]]) -> Result:
    """Run a whole `Bundle` on one sequence of integer inputs from a fresh state."""
    states = [([0] * layer.hidden_size, [0] * layer.hidden_size) for layer in bundle.layers]
    hidden = []
    for x in inputs:
        vector = x
        for k, layer in enumerate(bundle.layers):
            states[k] = lstm_step(layer, vector, *states[k])
            vector = states[k][0]
        hidden.append(vector)
    sums = matvec(bundle.head.matrix.values.tolist(), hidden[-1])
    return Result(hidden, [s + b for s, b in zip(sums, bundle.head.bias.tolist(), strict=True)])
