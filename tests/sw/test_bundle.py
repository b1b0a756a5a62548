import dataclasses

import numpy as np
import pytest

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import AccumulatorOverflowError, BundleError, DataError
from gatewright.sw.bundle import Bundle, Head, LstmLayer, Matrix
from gatewright.sw.numbers import Fixed, hidden_format, reference


@pytest.fixture
def bundle():
    return random_bundle(1, inputs=3, hidden=4, lanes=4, layers=2)


def layer(values=1, bias=0, *, x=4, w_ih=6, w_hh=6):
    """One unit, one input: all weights `values`, all biases `bias`."""
    return LstmLayer(
        Fixed(8, x),
        Matrix(np.full((4, 1), values), Fixed(8, w_ih)),
        Matrix(np.full((4, 1), values), Fixed(8, w_hh)),
        np.full(4, bias, dtype=np.int64),
    )


@pytest.mark.parametrize(
    ("values", "format", "text"),
    [
        (np.zeros((2, 2), dtype=int), Fixed(3, 0), "2, 4 or 8 bits, not 3"),
        (np.zeros(4, dtype=int), Fixed(8, 0), "two non-empty dimensions"),
        (np.zeros((0, 4), dtype=int), Fixed(8, 0), "two non-empty dimensions"),
        (np.zeros((2, 2)), Fixed(8, 0), "integers, not float64"),
        (np.array([[128]]), Fixed(8, 0), "from -128 to 127"),
        (np.array([[-9]]), Fixed(4, 0), "from -8 to 7"),
    ],
)
def test_malformed_matrices_are_refused(values, format, text):
    with pytest.raises(BundleError, match=text):
        Matrix(values, format)


def test_density_counts_zeros():
    assert Matrix(np.array([[0, 1], [2, 0]]), Fixed(8, 0)).density == 0.5


def test_alignment_of_the_two_products():
    # x·W_ih has 4 + 6 = 10 fractional bits, h·W_hh has 7 + 8 = 15.
    aligned = layer(w_ih=6, w_hh=8)
    assert (aligned.accumulator_frac, aligned.input_shift, aligned.recurrent_shift) == (15, 5, 0)
    assert aligned.requantise_shift == 4
    # Both are coarser than STATE, which then sets the scale.
    coarse = layer(x=1, w_ih=2, w_hh=2)
    assert (coarse.accumulator_frac, coarse.input_shift, coarse.recurrent_shift) == (11, 8, 2)
    assert coarse.requantise_shift == 0


def test_the_overflow_proof_is_tight():
    # Σ|w|·128·2^shift = 128·2^3 + 128 with a rounding constant of 2: the bias may fill the rest exactly.
    room = 2**31 - 1 - (128 << 3) - 128 - 2
    assert layer(bias=room).requantise_shift == 2
    assert layer(values=-1, bias=-room).bias[0] == -room
    with pytest.raises(AccumulatorOverflowError, match="row 0 can reach 2147483648"):
        layer(bias=room + 1)


def test_the_proof_of_the_head_counts_its_weights():
    matrix = Matrix(np.full((2, 3), -128), Fixed(8, 0))
    room = 2**31 - 1 - 3 * 128 * 128
    assert Head(hidden_format(8), matrix, np.array([0, room])).bias[1] == room
    with pytest.raises(AccumulatorOverflowError, match="head: row 1"):
        Head(hidden_format(8), matrix, np.array([0, room + 1]))


def test_the_worst_input_stays_within_the_proof():
    made = layer(values=127, bias=5)
    worst = reference.matvec(made.input.values.tolist(), [-128])[0] << made.input_shift
    assert abs(worst) == 127 * 128 << made.input_shift


def test_shapes_that_disagree_are_refused(bundle):
    first, second = bundle.layers
    with pytest.raises(BundleError, match="an LSTM layer needs"):
        dataclasses.replace(first, input=Matrix(np.zeros((8, 3), dtype=int), Fixed(8, 0)))
    with pytest.raises(BundleError, match="bias must be 16 integers"):
        dataclasses.replace(first, bias=np.zeros(15, dtype=int))
    with pytest.raises(BundleError, match="more than 31 bits apart"):
        dataclasses.replace(first, input_format=Fixed(8, 40))
    with pytest.raises(BundleError, match="but the layer below gives 4"):
        dataclasses.replace(bundle, layers=(second, first), mean=np.zeros(4), deviation=np.ones(4))
    with pytest.raises(BundleError, match="at least one layer"):
        dataclasses.replace(bundle, layers=())
    with pytest.raises(BundleError, match="2 labels for 3 logits"):
        dataclasses.replace(bundle, labels=("a", "b"))
    with pytest.raises(BundleError, match="mean must be 3 finite numbers"):
        dataclasses.replace(bundle, mean=np.array([0, np.nan, 0]))
    with pytest.raises(BundleError, match="deviation must be positive"):
        dataclasses.replace(bundle, deviation=np.array([1.0, 0.0, 1.0]))
    narrow = Head(hidden_format(8), Matrix(np.zeros((3, 5), dtype=int), Fixed(8, 0)), np.zeros(3, dtype=int))
    with pytest.raises(BundleError, match="the head takes 5"):
        dataclasses.replace(bundle, head=narrow)


def test_inputs_are_standardised_then_rounded_half_up():
    made = random_bundle(2, inputs=2)
    made = dataclasses.replace(made, mean=np.array([1.0, -1.0]), deviation=np.array([2.0, 0.5]))
    # frac 5: (1.03125 - 1) / 2 is half an LSB, (-1.2 + 1) / 0.5 is -12.8 LSB.
    assert made.quantise_input([[1.03125, -1.2], [1e6, -1e6]]).tolist() == [[1, -13], [127, -128]]
    with pytest.raises(DataError, match=r"2 features per step, not shape \(4, 3\)"):
        made.quantise_input(np.zeros((4, 3)))


def test_a_round_trip_on_disk_changes_nothing(bundle, tmp_path):
    path = tmp_path / "model.npz"
    bundle = dataclasses.replace(bundle, notes={"task": "digits", "density": 0.125})
    bundle.save(path)
    again = Bundle.load(path)
    x = random_inputs(1, bundle, 5).tolist()
    assert reference.run(again, x) == reference.run(bundle, x)
    assert again.labels == bundle.labels
    assert again.notes == bundle.notes
    assert np.array_equal(again.mean, bundle.mean)
    assert np.array_equal(again.deviation, bundle.deviation)
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


def test_other_files_are_refused(bundle, tmp_path):
    path = tmp_path / "model.npz"
    with pytest.raises(BundleError, match="no such file"):
        Bundle.load(path)
    bundle.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match="not a bundle file"):
        Bundle.load(path)
    np.savez(path, X=np.zeros(3))
    with pytest.raises(BundleError, match="not a bundle file"):
        Bundle.load(path)
    path.write_text("hello")
    with pytest.raises(BundleError, match="not a bundle file"):
        Bundle.load(path)


def test_a_bundle_that_lacks_an_array_is_refused(bundle, tmp_path):
    path = tmp_path / "model.npz"
    bundle.save(path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "layer1_bias"}
    np.savez(path, **arrays)
    with pytest.raises(BundleError, match="layer1_bias"):
        Bundle.load(path)
