from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gatewright.sw.compress import diagnosis
from gatewright.sw.compress.diagnosis import (
    Spread,
    narrow_features,
    signal_to_noise,
    spread_matrices,
    told_features,
)
from gatewright.sw.compress.formats import best_format
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


CLIP = "lip its largest weights and train again, or train longer in integers"


@pytest.mark.parametrize(
    ("name", "bits", "remedy"),
    [
        ("head", 4, "Give it more bits (up to 8)"),
        ("layer0.input", 2, "Give it more bits (up to 8)"),
        ("head.first", 8, "Bring the model's outputs to one size and scale them back on the host"),
        ("layer0.input.first", 8, f"Let the features be scaled, c{CLIP}"),
        ("layer1.input", 8, f"C{CLIP}"),
    ],
)
def test_what_helps_depends_on_the_width_and_the_place(name, bits, remedy):
    assert str(Spread(name, bits, 2.26, 0.444, 12.6)) == (
        f"{name}: its weights spread over 2.3 decades, and with {bits} bits 44 % of them become zero; "
        f"by that alone an output is left with 13 dB. {remedy}"
    )


def test_a_feature_is_narrow_with_fewer_than_8_integers_of_more_values():
    values = np.arange(20.0)[:, None] * np.ones(5)
    # Distinct values 20, 20, 7, 8, 20; distinct integers 8, 7, 7, 7, 1.
    values[:, 2], values[:, 3] = values[:, 2] % 7, values[:, 3] % 8
    integers = np.stack([np.arange(20) % most for most in (8, 7, 7, 7, 1)], axis=1)
    bundle = SimpleNamespace(quantise_input=lambda raw: integers if np.array_equal(raw, values) else None)
    assert narrow_features(bundle, [values[:5], values[5:]]) == {1: 7, 3: 7, 4: 1}


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (1, "0 (1)"),
        (6, "0 (1), 1 (1), 2 (1), 3 (1), 4 (1), 5 (1)"),
        (7, "0 (1), 1 (1), 2 (1), 3 (1), 4 (1), 5 (1) and 1 more"),
    ],
)
@pytest.mark.parametrize(
    ("scaled", "remedy"), [(True, "Bring rare"), (False, "Let the features be scaled, bring rare")]
)
def test_narrow_features_are_told(count, named, scaled, remedy):
    assert told_features(narrow=dict.fromkeys(range(count), 1), scaled=scaled) == (
        f"features keep fewer than 8 distinct integers on the samples: {named}. {remedy} extremes nearer "
        "(a logarithm, a clip), or take 16-bit activations"
    )


def outlying(network_of, **shape):
    """A model whose recurrent matrix has an outlier, and some zeros."""
    model = raw_model(network_of(**shape))
    matrix = model.network.matrices()["layer0.recurrent"]
    with torch.no_grad():
        outlier(matrix)
        matrix[5:7] = 0
    return model, matrix.detach().double().numpy()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("head", [True, False])
def test_what_a_matrix_loses_is_measured_on_the_outputs(network_of, bits, head):
    model, weights = outlying(network_of, head=head)
    (found,) = spread(model, bits=bits)
    present = weights != 0
    kept = best_format(weights, bits).quantise(weights) != 0
    twin = raw_model(network_of(head=head))
    with torch.no_grad():
        twin.network.matrices()["layer0.recurrent"].copy_(torch.from_numpy(weights * kept))
    exact, ours = (np.concatenate(each.results(SEQUENCES)).astype(np.float64) for each in (model, twin))
    moved = np.square(exact - exact.mean(axis=0)).sum(axis=0)
    ratios = 10 * np.log10(moved / np.square(ours - exact).sum(axis=0))
    sizes = np.sort(np.abs(weights[present]))
    assert (found.name, found.bits) == ("layer0.recurrent", bits)
    assert found.snr == pytest.approx(ratios.min(), rel=1e-4)
    assert found.lost == pytest.approx((present & ~kept).sum() / present.sum())
    assert found.decades == pytest.approx(np.log10(sizes[-1] / np.quantile(sizes, 0.1)))


@pytest.mark.parametrize("bits", [4, 8])
def test_a_remark_needs_a_loss_and_a_spread_that_the_width_is_not_to_blame_for(network_of, monkeypatch, bits):
    model, _ = outlying(network_of)
    (found,) = spread(model, bits=bits)
    for noted, decades, named in (
        (found.snr + 1e-6, found.decades, True),
        (found.snr + 1e-6, found.decades + 1e-6, bits == 8),
        (found.snr, 0.0, False),
    ):
        monkeypatch.setattr(diagnosis, "NOTED", noted)
        monkeypatch.setattr(diagnosis, "DECADES", decades)
        assert spread(model, bits=bits) == [found] * named


@pytest.mark.parametrize("head", [True, False])
def test_an_output_moves_against_its_own_size_or_hidden_values_against_the_largest(
    network_of, monkeypatch, head
):
    model, _ = outlying(network_of, head=head)
    results = np.concatenate(model.results(SEQUENCES)).astype(np.float64)
    size = np.sqrt(np.square(results).mean(axis=0))
    share = results.std(axis=0) / (size if head else size.max())
    for still, judged in ((share.max() * 0.999, True), (share.max() * 1.001, False)):
        monkeypatch.setattr(diagnosis, "STILL", still)
        assert [each.name for each in spread(model, bits=8)] == (["layer0.recurrent"] if judged else [])


def test_batches_are_spread_over_the_data_and_know_their_real_steps(monkeypatch):
    monkeypatch.setattr(diagnosis, "_STEPS", 8)
    monkeypatch.setattr(diagnosis, "_BATCH", 2)
    sequences = [torch.full((steps, 1), float(steps)) for steps in (10, 1, 3, 2, 5, 1, 7)]
    # 29 steps: every third sequence, and no more than 8 steps of it.
    batches = diagnosis._batches(sequences)
    seen = sorted(sorted(x[real].flatten().tolist()) for x, real in batches)
    assert seen == [[2.0] * 2 + [7.0] * 7, [10.0] * 8]
    assert sorted(tuple(x.shape) for x, _ in batches) == [(7, 2, 1), (8, 1, 1)]


@pytest.mark.parametrize(
    ("lengths", "looked_at"),
    [((5000,), {(4096, 1)}), ((4095, 4096), {(4096, 2)}), ((4096, 4096), {(4096, 1)})],
)
def test_at_least_4096_steps_are_looked_at(lengths, looked_at):
    batches = diagnosis._batches([torch.zeros(steps, 1) for steps in lengths])
    assert {tuple(x.shape[:2]) for x, _ in batches} == looked_at


@pytest.mark.parametrize(
    ("bits", "snr", "decades", "named"),
    [(8, 29.9, 1.0, True), (8, 30.0, 3.0, False), (4, 29.9, 2.01, True), (4, 29.9, 1.99, False)],
)
def test_a_loss_of_30_decibels_over_2_decades_is_worth_a_remark(
    network_of, monkeypatch, bits, snr, decades, named
):
    monkeypatch.setattr(diagnosis, "signal_to_noise", lambda exact, ours: np.full(exact.shape[1], snr))
    model = raw_model(network_of())
    with torch.no_grad():
        matrix = model.network.matrices()["layer0.recurrent"]
        matrix[:] = 1.0
        matrix[::2] = 10.0**-decades
        # One in a hundred is small enough to vanish in any width.
        matrix[0, :2] = 1e-6
    found = {each.name: each for each in spread(model, bits=bits)}
    assert ("layer0.recurrent" in found) == named
    if named:
        assert found["layer0.recurrent"].decades == pytest.approx(decades, abs=1e-4)
