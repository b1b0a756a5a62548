import numpy as np
import pytest
import torch

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.sw.bundle import Bundle, Head, LowRank, LstmLayer, Matrix, Projection
from gatewright.sw.numbers import STATE, Fixed, hidden_format
from gatewright.sw.numbers.reference import cell, fresh_states, matvec, multiply, requantise, run

ONE = 1 << STATE.frac
FAR = STATE.max
SMALL = hidden_format(8)


def test_matvec_is_exact_beyond_float():
    assert matvec([[2**53, 1], [-1, 1]], [1, 1]) == [2**53 + 1, 0]


def test_products_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="argument"):
        matvec([[1, 2]], [1])


def test_fresh_states_are_zeros():
    bundle = random_bundle(3, hidden=3, lanes=4, layers=2, projection=2)
    assert fresh_states(bundle) == [([0, 0], [0, 0, 0])] * 2


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


def test_low_rank_by_hand():
    first = Matrix(np.array([[3, 1], [-120, -120]]), Fixed(8, 5))
    second = Matrix(np.array([[2, 1], [0, -1]]), Fixed(4, 1))
    # Sums 25 and -1080 have 9 fractional bits; z drops 3 of them: 3.125 and -135, which saturates.
    product = LowRank(first, Fixed(8, 6), second)
    assert multiply(product, Fixed(8, 4), [8, 1]) == [2 * 3 - 128, 128]
    # Half up: 12 is 1.5, -12 is -1.5.
    assert multiply(product, Fixed(8, 4), [4, 0]) == [2 * 2 - 60, 60]
    assert multiply(product, Fixed(8, 4), [-4, 0]) == [2 * -1 + 60, -60]


def test_projection_by_hand():
    # As in one step by hand, but W_hh adds -2·y to every gate; y = 2.5·h = 117.5 LSB of h, 58.75 of y: 59.
    ones = Matrix(np.full((4, 1), 32), Fixed(8, 4))
    back = Matrix(np.full((4, 1), -32), Fixed(8, 4))
    projection = Projection(Matrix(np.array([[80]]), Fixed(8, 5)), Fixed(8, 6))
    layer = LstmLayer(Fixed(8, 4), ones, back, np.zeros(4, dtype=int), projection)
    head = Head(Fixed(8, 6), Matrix(np.array([[3]]), Fixed(8, 6)), np.array([1]))
    bundle = Bundle((layer,), head, np.zeros(1), np.ones(1), ("y",))
    states = fresh_states(bundle)
    assert run(bundle, [[8]], states) == ([[59]], [3 * 59 + 1])
    # c = 0.5568, so all gates see 1 - 2·59/64 = -0.8438: c = 0.3007·0.5568 - 0.3007·0.6878, h = 0.3007·tanh(c).
    hidden = 128 * 0.3007 * np.tanh(0.3007 * (0.5568 - 0.6878))
    assert run(bundle, [[8]], states).hidden == [[round(round(hidden) * 2.5 / 2)]]


@pytest.mark.parametrize("options", [{}, {"rank": 3}, {"projection": 5}, {"rank": 3, "projection": 5}])
def test_approximates_the_lstm_of_pytorch(options):
    bundle = random_bundle(3, inputs=6, hidden=7, activation_bits=16, frac=8, **options)
    layer = bundle.layers[0]
    torch_layer = torch.nn.LSTM(6, 7, dtype=torch.float64, proj_size=options.get("projection", 0))
    parameters = {
        "weight_ih_l0": layer.input.real(),
        "weight_hh_l0": layer.recurrent.real(),
        "bias_ih_l0": layer.bias * 2.0**-layer.accumulator_frac,
        "bias_hh_l0": np.zeros(28),
    }
    if layer.projection is not None:
        parameters["weight_hr_l0"] = layer.projection.matrix.real()
    with torch.no_grad():
        for name, values in parameters.items():
            torch_layer.get_parameter(name).copy_(torch.from_numpy(values))
        x = random_inputs(4, bundle, 12) // 4
        real = torch.from_numpy(x * bundle.input_format.lsb)
        expected = torch_layer(real)[0].numpy()
    found = np.array(run(bundle, x.tolist()).hidden) * layer.output_format.lsb
    # PyTorch does not saturate, so the inputs are small.
    # Per step a rounding of the pre-activation (2^-12) and of σ and tanh (2^-13) enters, and old ones fade.
    assert np.abs(found - expected).max() < 2.0**-8


def test_layers_feed_each_other():
    bundle = random_bundle(5, inputs=3, hidden=4, lanes=4, layers=2)
    x = random_inputs(6, bundle, 4).tolist()
    lower = Bundle(bundle.layers[:1], bundle.head, bundle.mean, bundle.deviation, bundle.labels)
    upper = Bundle(bundle.layers[1:], bundle.head, np.zeros(4), np.ones(4), bundle.labels)
    assert run(upper, run(lower, x).hidden) == run(bundle, x)


@pytest.fixture
def rich():
    """All kinds of products: low rank, projections, and two layers."""
    return random_bundle(8, inputs=3, hidden=6, lanes=4, layers=2, rank=2, projection=5)


def test_states_carry_a_sequence_on(rich):
    x = random_inputs(9, rich, 7).tolist()
    whole = run(rich, x)
    states = fresh_states(rich)
    before, after = run(rich, x[:3], states), run(rich, x[3:], states)
    assert before.hidden + after.hidden == whole.hidden
    assert after.logits == whole.logits
    assert run(rich, x[3:]).hidden != after.hidden
    assert states[1].output == whole.hidden[-1]


def test_logits_of_every_step(rich):
    x = random_inputs(9, rich, 4).tolist()
    every = run(rich, x, every_step=True)
    assert every.hidden == run(rich, x).hidden
    assert every.logits == [run(rich, x[: k + 1]).logits for k in range(4)]
    assert every.logits[0] != every.logits[3]


@pytest.mark.parametrize("every_step", [False, True])
def test_a_bundle_without_a_head_gives_its_outputs(every_step):
    options = {"inputs": 3, "hidden": 4, "lanes": 4}
    bare, headed = random_bundle(5, classes=0, **options), random_bundle(5, **options)
    x = random_inputs(6, bare, 4).tolist()
    assert run(bare, x, every_step=every_step) == (run(headed, x).hidden, [])
