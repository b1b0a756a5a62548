import numpy as np
import pytest
import torch

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.sw.bundle import Bundle, Head, LstmLayer, Matrix
from gatewright.sw.numbers import STATE, Fixed, hidden_format
from gatewright.sw.numbers.reference import cell, matvec, requantise, run

ONE = 1 << STATE.frac
FAR = STATE.max
SMALL = hidden_format(8)


def test_matvec_is_exact_beyond_float():
    assert matvec([[2**53, 1], [-1, 1]], [1, 1]) == [2**53 + 1, 0]


def test_requantise_rounds_half_up_then_saturates():
    assert [requantise(v, 2, STATE) for v in (5, 6, -6, -7)] == [1, 2, -1, -2]
    assert (requantise(2**30, 2, STATE), requantise(-(2**30), 2, STATE)) == (STATE.max, STATE.min)


@pytest.mark.parametrize(
    ("gates", "c", "expected"),
    [
        # Everything shut: nothing kept, nothing added.
        ((-FAR, -FAR, FAR, FAR), 5 * ONE, (0, 0)),
        # Kept only: f = 32767/32768 keeps 2047.94, which rounds to 2048; o·tanh(1) = 0.7616 is 97.5 LSB.
        ((-FAR, FAR, 0, FAR), ONE, (97, ONE)),
        # Added only: i·g = (32767/32768)**2 is 2047.9 LSB.
        ((FAR, -FAR, FAR, FAR), 0, (97, ONE)),
        # Half of everything: σ(0) = 1/2, tanh(0) = 0.
        ((0, 0, 0, 0), 2 * ONE, (49, ONE)),
        # Saturation of c in both directions.
        ((FAR, FAR, FAR, FAR), STATE.max, (127, STATE.max)),
        ((FAR, FAR, -FAR, FAR), STATE.min, (-128, STATE.min)),
    ],
)
def test_cell_by_hand(gates, c, expected):
    assert cell(*gates, c, SMALL) == expected


def test_one_step_by_hand():
    # One unit, one input: pre = 2·x for every gate, x = 1/2, so all gates see 1.0; then the head.
    ones = Matrix(np.full((4, 1), 32), Fixed(8, 4))
    zeros = Matrix(np.zeros((4, 1), dtype=int), Fixed(8, 6))
    layer = LstmLayer(Fixed(8, 4), ones, zeros, np.zeros(4, dtype=int))
    head = Head(SMALL, Matrix(np.array([[64], [-64]]), Fixed(8, 6)), np.array([10, 20]))
    bundle = Bundle((layer,), head, np.zeros(1), np.ones(1), ("yes", "no"))
    result = run(bundle, [[8]])
    # c = σ(1)·tanh(1) = 0.5568; h = σ(1)·tanh(c) = 0.3696 = 47.3 LSB; logits = ±64·47 + bias.
    assert result.hidden == [[47]]
    assert result.logits == [64 * 47 + 10, -64 * 47 + 20]


def test_approximates_the_lstm_of_pytorch():
    bundle = random_bundle(3, inputs=6, hidden=8, activation_bits=16, frac=8)
    layer = bundle.layers[0]
    torch_layer = torch.nn.LSTM(6, 8, dtype=torch.float64)
    with torch.no_grad():
        for name, values in (
            ("weight_ih_l0", layer.input.format.real(layer.input.values)),
            ("weight_hh_l0", layer.recurrent.format.real(layer.recurrent.values)),
            ("bias_ih_l0", layer.bias * 2.0**-layer.accumulator_frac),
            ("bias_hh_l0", np.zeros(32)),
        ):
            torch_layer.get_parameter(name).copy_(torch.from_numpy(values))
        x = random_inputs(4, bundle, 12) // 4
        real = torch.from_numpy(x * bundle.input_format.lsb)
        expected = torch_layer(real)[0].numpy()
    found = np.array(run(bundle, x.tolist()).hidden) * layer.hidden_format.lsb
    # Per step a rounding of the pre-activation (2^-12) and of σ and tanh (2^-13) enters, and old ones fade.
    assert np.abs(found - expected).max() < 2.0**-8


def test_layers_feed_each_other():
    bundle = random_bundle(5, inputs=3, hidden=4, lanes=4, layers=2)
    x = random_inputs(6, bundle, 4).tolist()
    lower = Bundle(bundle.layers[:1], bundle.head, bundle.mean, bundle.deviation, bundle.labels)
    upper = Bundle(bundle.layers[1:], bundle.head, np.zeros(4), np.ones(4), bundle.labels)
    assert run(upper, run(lower, x).hidden) == run(bundle, x)
