import numpy as np
import pytest
import torch

from gatewright.sw.compress.diagnosis import (
    narrow_features,
    signal_to_noise,
    spread_matrices,
    told_features,
)
from gatewright.sw.compress.quantise import calibrate
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.spec import uniform_spec

RNG = np.random.default_rng(0)
SEQUENCES = [RNG.normal(size=(30, 3)).astype(np.float32) for _ in range(10)]


def spread(model, **spec):
    return spread_matrices(model, model.network, uniform_spec(model.network, **spec), SEQUENCES)


def over_decades(matrix):
    """Bring every other row far down."""
    matrix[::2] *= 1e-3
    matrix *= 200


def outlier(matrix):
    matrix[0, 0] = 100 * matrix.abs().max()


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("shape", [{}, {"head": False, "layers": 2, "projection": 4}])
def test_ordinary_matrices_are_not_named(network_of, shape, bits):
    assert spread(raw_model(network_of(**shape)), bits=bits) == []


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("change", [over_decades, outlier])
@pytest.mark.parametrize("name", ["layer0.recurrent", "layer1.input", "head"])
def test_a_matrix_over_several_decades_is_named_with_a_remedy(network_of, name, change, bits):
    model = raw_model(network_of(layers=2, hidden=16))
    with torch.no_grad():
        change(model.network.matrices()[name])
    found = {each.name: each for each in spread(model, bits=bits)}[name]
    assert found.bits == bits
    assert found.decades > 2
    assert found.lost > 0.3
    assert found.snr < 30
    remedy = (
        "Give it more bits"
        if bits < 8
        else "Bring the model's outputs"
        if name == "head"
        else "Clip its largest"
    )
    assert str(found).startswith(f"{name}: its weights spread over")
    assert remedy in str(found)


def test_the_first_matrix_of_unscaled_features_is_named(network_of):
    model = raw_model(network_of())
    with torch.no_grad():
        model.network.layers[0].input.factors[0].mul_(torch.tensor([1.0, 1e-3, 1e-4]))
    sequences = [s * [1, 1e3, 1e4] for s in SEQUENCES]
    (found,) = spread_matrices(model, model.network, uniform_spec(model.network), sequences)
    assert found.name == "layer0.input"
    assert "Let the features be scaled" in str(found)


def test_outputs_that_never_move_are_not_judged(network_of):
    model = raw_model(network_of())
    with torch.no_grad():
        model.network.head.factors[0][1:] *= 1e-6
    assert spread(model) == []


def test_features_that_keep_few_integers_are_named(network_of):
    model = raw_model(network_of())
    sequences = [s * [1, 100, 1] for s in SEQUENCES]
    for sequence in sequences:
        sequence[:, 2] = 1000 * (sequence[:, 2] > 0)
    bundle = calibrate(model.network, model.standardise(sequences), uniform_spec(model.network)).bundle(
        model.mean, model.deviation, model.labels
    )
    kept = [len(np.unique(k)) for k in np.concatenate([bundle.quantise_input(s) for s in sequences]).T]
    assert kept[0] < 8 <= kept[1]
    narrow = narrow_features(bundle, sequences)
    assert narrow == {0: kept[0]}
    assert told_features(narrow, scaled=True).startswith(
        f"features keep fewer than 8 distinct integers on the samples: 0 ({kept[0]})"
    )


def test_of_many_features_some_are_named():
    assert " 5 (1) and 4 more. " in told_features(dict.fromkeys(range(10), 1), scaled=False)


def test_signal_to_noise_of_every_output():
    exact = np.array([[3.0, 0.0, 1.0], [4.0, 0.0, 1.0]])
    ratios = signal_to_noise(exact, exact + np.array([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    assert ratios[0] == pytest.approx(20.0)
    assert ratios[1] == 0.0
    assert np.isfinite(ratios[2])
    assert ratios[2] > 1000
