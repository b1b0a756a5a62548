"""The arithmetic of ``docs/numerics.md`` in plain Python integers: slow, and the authority.

Every function takes and gives lists of Python integers. The other four
implementations (torch, Numba, Amaranth's simulator, Verilog) are held against it.
"""

from itertools import pairwise
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


class State(NamedTuple):
    """State of one layer between two steps: its output y (or h), and c in LSB of `STATE`."""

    output: list[int]
    cell: list[int]


def fresh_states(bundle) -> list[State]:
    """Give the zero states of all layers of a `Bundle`."""
    return [State([0] * layer.output_size, [0] * layer.hidden_size) for layer in bundle.layers]


def multiply(product, source: Fixed, vector: list[int]) -> list[int]:
    """Give the accumulators of a `Product` with a vector in format `source`."""
    first, *others = product.stages(source)
    accumulators = matvec(first.matrix.values.tolist(), vector)
    for before, stage in pairwise((first, *others)):
        vector = [requantise(a, before.shift(stage.source), stage.source) for a in accumulators]
        accumulators = matvec(stage.matrix.values.tolist(), vector)
    return accumulators


def lstm_step(layer, x: list[int], state: State) -> State:
    """Advance one layer (an `LstmLayer`) by one step."""
    size = layer.hidden_size
    from_input = multiply(layer.input, layer.input_format, x)
    from_output = multiply(layer.recurrent, layer.output_format, state.output)
    pre = [
        requantise(
            (a << layer.input_shift) + (b << layer.recurrent_shift) + bias, layer.requantise_shift, STATE
        )
        for a, b, bias in zip(from_input, from_output, layer.bias.tolist(), strict=True)
    ]
    units = [
        cell(pre[u], pre[size + u], pre[2 * size + u], pre[3 * size + u], state.cell[u], layer.hidden_format)
        for u in range(size)
    ]
    output = [unit.h for unit in units]
    if layer.projection is not None:
        sums = multiply(layer.projection.matrix, layer.hidden_format, output)
        output = [requantise(a, layer.projection_shift, layer.output_format) for a in sums]
    return State(output, [unit.c for unit in units])


def head_step(head, vector: list[int]) -> list[int]:
    """Give the logits of a `Head` for one output of the last layer."""
    sums = multiply(head.matrix, head.input_format, vector)
    return [s + b for s, b in zip(sums, head.bias.tolist(), strict=True)]


class Result(NamedTuple):
    """Result of one sequence.

    Parameters
    ----------
    hidden : list of list of int
        Outputs of the last layer, y or h, one list per step.
    logits : list
        Of the last step; or one list per step, if asked for. Empty without a head.
    """

    hidden: list[list[int]]
    logits: list


def run(
    bundle, inputs: list[list[int]], states: list[State] | None = None, *, every_step: bool = False
) -> Result:
    """Run a whole `Bundle` on one sequence of integer inputs.

    Parameters
    ----------
    bundle : Bundle
    inputs : list of list of int
        At least one step.
    states : list of State, optional
        One for each layer, as `fresh_states` gives them; replaced in place by those after the sequence. Without
        it, the sequence starts from a fresh state.
    every_step : bool
        Give the logits of every step.
    """
    states = fresh_states(bundle) if states is None else states
    hidden = []
    for x in inputs:
        vector = x
        for k, layer in enumerate(bundle.layers):
            states[k] = lstm_step(layer, vector, states[k])
            vector = states[k].output
        hidden.append(vector)
    if bundle.head is None:
        return Result(hidden, [])
    if every_step:
        return Result(hidden, [head_step(bundle.head, vector) for vector in hidden])
    return Result(hidden, head_step(bundle.head, hidden[-1]))
