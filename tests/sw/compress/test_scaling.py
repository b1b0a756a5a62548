import dataclasses

import numpy as np
import pytest
import torch

from gatewright.errors import DataError
from gatewright.sw.compress import scaling
from gatewright.sw.compress.formats import best_format
from gatewright.sw.compress.scaling import scaled, scaled_where_it_pays
from gatewright.sw.importers.weights import raw_model

SIZES = np.array([1.0, 30.0, 1e4])


def sequences_of(make, count=12, steps=40):
    rng = np.random.default_rng(0)
    return [make(rng, steps).astype(np.float32) for _ in range(count)]


def prices(rng, steps):
    """Features of very different size and far from zero."""
    return SIZES * (5 + rng.normal(size=(steps, 3)))


def rectified(rng, steps):
    return SIZES * np.maximum(0, rng.normal(size=(steps, 3)))


def symbols(rng, steps):
    return np.eye(3)[rng.choice(3, steps, p=[0.9, 0.08, 0.02])]


@pytest.fixture
def for_prices(network_of):
    """Make a model that suits `prices`, as one with the scaling inside its first matrix."""

    def make(**shape):
        model = raw_model(network_of(**shape))
        layer = model.network.layers[0]
        with torch.no_grad():
            layer.input.factors[0].div_(torch.from_numpy(SIZES))
            layer.bias.sub_((layer.input().double() @ torch.from_numpy(5 * SIZES)).float())
        return model

    return make


@pytest.mark.parametrize("shape", [{}, {"rank": 2}, {"layers": 2, "projection": 4, "head": False}])
@pytest.mark.parametrize("make", [prices, rectified])
def test_the_function_of_raw_features_stays(for_prices, shape, make):
    model, sequences = for_prices(**shape), sequences_of(make)
    before = model.outputs(sequences)
    small = scaled(model, sequences)
    for ours, theirs, same in zip(small.outputs(sequences), before, model.outputs(sequences), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)
        np.testing.assert_array_equal(theirs, same)


def test_inputs_have_mean_0_and_deviation_1(for_prices):
    sequences = sequences_of(prices)
    x = torch.cat(scaled(for_prices(), sequences).standardise(sequences)).numpy()
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-5)


def test_zeros_of_rectified_features_stay_zeros(for_prices):
    sequences = sequences_of(rectified)
    x = torch.cat(scaled(for_prices(), sequences).standardise(sequences)).numpy()
    np.testing.assert_array_equal(x == 0, np.concatenate(sequences) == 0)
    np.testing.assert_allclose(np.square(x).mean(axis=0), 1, atol=1e-5)


def test_a_scaling_that_is_there_is_replaced(for_prices):
    sequences = sequences_of(prices)
    once = scaled(for_prices(), sequences)
    half = dataclasses.replace(once, mean=once.mean + 3.0, deviation=once.deviation * 7)
    again = scaled(half, sequences)
    np.testing.assert_allclose(again.mean, once.mean)
    for ours, theirs in zip(again.outputs(sequences), half.outputs(sequences), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_the_scaling_of_the_same_sequences_changes_nothing(for_prices):
    sequences = sequences_of(prices)
    once = scaled(for_prices(), sequences)
    again = scaled(once, sequences)
    assert all(
        torch.equal(a, b) for a, b in zip(again.network.parameters(), once.network.parameters(), strict=True)
    )


@pytest.mark.parametrize("constant", [0.0, 1e6])
def test_a_constant_feature_is_shifted_only(network_of, constant):
    sequences = sequences_of(prices)
    for sequence in sequences:
        sequence[:, 1] = constant
    model = raw_model(network_of())
    with torch.no_grad():
        model.network.layers[0].input.factors[0].div_(torch.from_numpy(SIZES))
        model.network.layers[0].input.factors[0][:, 1] = 1e-6
    small = scaled(model, sequences)
    assert (small.mean[1], small.deviation[1]) == (constant, 1.0)
    for ours, theirs in zip(small.outputs(sequences), model.outputs(sequences), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize(("make", "pays"), [(prices, True), (rectified, True), (symbols, False)])
def test_models_are_scaled_where_it_pays(for_prices, network_of, make, pays):
    model = raw_model(network_of()) if make is symbols else for_prices()
    sequences = sequences_of(make)
    small = scaled_where_it_pays(model, sequences)
    assert (small is not model) == pays
    assert scaled_where_it_pays(small, sequences) is small


def test_features_beyond_every_format_are_scaled(network_of):
    model, sequences = raw_model(network_of()), [1e14 * s for s in sequences_of(prices)]
    assert scaled_where_it_pays(model, sequences) is not model


def test_another_number_of_features_is_refused(for_prices):
    with pytest.raises(DataError, match=r"sequence 1 must be \[steps, 3\]"):
        scaled(for_prices(), [np.zeros((4, 3)), np.zeros((4, 2))])


def kept(model, sequences, bits, activation_bits):
    """Signal-to-noise ratio in dB of the first matrix's sums in integers, about their means."""
    x = ((np.concatenate(sequences) - model.mean) / model.deviation).astype(np.float32).astype(float)
    matrix = model.network.layers[0].input.factors[0].detach().double().numpy()
    exact = x @ matrix.T
    noise = -exact
    formats = [best_format(v, b) for v, b in ((x, activation_bits), (matrix, bits))]
    noise += formats[0].real(formats[0].quantise(x)) @ formats[1].real(formats[1].quantise(matrix)).T
    return 10 * np.log10(np.square(exact - exact.mean(axis=0)).sum() / np.square(noise).sum())


@pytest.mark.parametrize("shape", [{}, {"rank": 2}])
@pytest.mark.parametrize("widths", [{}, {"bits": 4}, {"activation_bits": 16}])
def test_what_scaling_gains_decides(for_prices, monkeypatch, widths, shape):
    model, sequences = for_prices(**shape), sequences_of(prices)
    full = {"bits": 8, "activation_bits": 8} | widths
    gain = kept(scaled(model, sequences), sequences, **full) - kept(model, sequences, **full)
    for worth, pays in ((gain - 1e-6, True), (gain + 1e-6, False)):
        monkeypatch.setattr(scaling, "WORTH", worth)
        assert (scaled_where_it_pays(model, sequences=sequences, **widths) is not model) == pays


@pytest.mark.parametrize(("gain", "pays"), [(5.99, False), (6.0, True)])
def test_one_bit_of_every_value_is_worth_it(for_prices, monkeypatch, gain, pays):
    model = for_prices()
    monkeypatch.setattr(scaling, "_kept", lambda each, *_: 1.0 if each is model else 1.0 + gain)
    assert (scaled_where_it_pays(model, sequences_of(prices)) is not model) == pays


def test_long_data_are_judged_on_some_of_their_steps(for_prices, monkeypatch):
    model, sequences = for_prices(), sequences_of(prices)
    monkeypatch.setattr(scaling, "_STEPS", 160)
    some = [np.concatenate(sequences)[::3]]
    found = scaling._kept(model, sequences, 8, 8)
    assert found == pytest.approx(kept(model, some, 8, 8), abs=1e-9)
    monkeypatch.setattr(scaling, "_STEPS", 1000)
    assert scaling._kept(model, sequences, 8, 8) == pytest.approx(kept(model, sequences, 8, 8), abs=1e-9)


@pytest.mark.parametrize(("zeros", "mean"), [(10, 0.0), (9, 31 / 40)])
def test_a_quarter_of_zeros_is_worth_keeping(network_of, zeros, mean):
    sequence = np.ones((40, 3), dtype=np.float32)
    sequence[:zeros, 1] = 0
    small = scaled(raw_model(network_of()), [sequence])
    assert small.mean.tolist() == pytest.approx([1, mean, 1])
    deviation = np.sqrt(30 / 40) if mean == 0 else np.sqrt(mean * (1 - mean))
    assert small.deviation.tolist() == pytest.approx([1, deviation, 1])


def test_a_feature_that_is_always_zero_has_no_size(network_of):
    small = scaled(raw_model(network_of()), [np.zeros((4, 3), dtype=np.float32)])
    assert (small.mean.tolist(), small.deviation.tolist()) == ([0, 0, 0], [1, 1, 1])


def test_zeros_are_those_that_the_network_sees(network_of):
    model = dataclasses.replace(raw_model(network_of()), mean=np.full(3, 2.0))
    sequence = np.full((40, 3), 2.0, dtype=np.float32)
    sequence[20:] = 5.0
    small = scaled(model, [sequence])
    assert small.mean.tolist() == [2, 2, 2]
    assert small.deviation.tolist() == pytest.approx([np.sqrt(3**2 / 2)] * 3)


@pytest.mark.parametrize(("steps", "looked_at"), [(2 * 16384 - 1, 2 * 16384 - 1), (2 * 16384, 16384)])
def test_at_least_16384_steps_are_looked_at(network_of, monkeypatch, steps, looked_at):
    seen = []
    monkeypatch.setattr(scaling, "_rounded", lambda values, bits: seen.append(len(values)) or values)
    scaling._kept(raw_model(network_of()), [np.zeros((steps, 3), dtype=np.float32)], 8, 8)
    assert seen[0] == looked_at
