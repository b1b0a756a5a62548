import copy
import dataclasses
from itertools import pairwise

import pytest
import torch

from gatewright.sw.compress.pattern import balanced_mask, gate_layout
from gatewright.sw.compress.pruning import prune, prune_at_once, retrain, scheduled_density
from gatewright.sw.determinism import seeded
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec, ProductSpec, uniform_spec

SETTINGS = CompressSettings(prune_epochs=6, prune_rate=1e-2)
SPEC = CompressionSpec(
    {
        "layer0.input": ProductSpec(density=0.5),
        "layer0.recurrent": ProductSpec(density=0.25),
        "head": ProductSpec(),
    },
    lanes=16,
)


def test_the_density_falls_fast_then_slowly_to_its_target():
    values = [scheduled_density(0.125, k / 20, CompressSettings()) for k in range(21)]
    assert values[0] == 1.0
    assert values[1] - values[0] < values[9] - values[8] < 0
    assert values[5] == pytest.approx(0.125 + 0.875 / 8)
    assert values[10:] == [0.125] * 11


def test_the_schedule_has_a_length_and_a_power():
    line = CompressSettings(prune_share=0.8, prune_power=1.0)
    values = [scheduled_density(0.2, done, line) for done in (0.0, 0.2, 0.4, 0.8, 1.0)]
    assert values == pytest.approx([1.0, 0.8, 0.6, 0.2, 0.2])


@pytest.fixture(scope="module")
def pruned(task, float_model):
    network = copy.deepcopy(float_model.network)
    with seeded(0):
        prune(task, float_model, network, SPEC, SETTINGS)
    return network


def test_every_matrix_ends_with_its_own_density(pruned):
    for name, density in (("layer0.input", 0.5), ("layer0.recurrent", 0.25)):
        matrix = pruned.matrices()[name]
        kept = matrix != 0
        assert kept.float().mean() == density
        assert torch.equal(kept, balanced_mask(matrix, gate_layout(16, matrix.shape[1], 16), density))
    assert (pruned.matrices()["head"] != 0).all()


def test_the_task_is_still_solved_and_the_dense_model_untouched(pruned, float_model, task):
    assert dataclasses.replace(float_model, network=pruned).score(task.test, task.metric) >= 90
    assert (float_model.network.matrices()["layer0.recurrent"] != 0).all()
    assert float_model.score(task.validation, task.metric) == float_model.history[-1]


def test_weights_that_were_dropped_never_come_back(task, float_model, monkeypatch):
    seen = []

    def recorded(weights, layout, density, columns):
        assert columns == "contribution"
        mask = balanced_mask(weights, layout, density, columns)
        seen.append((tuple(weights.shape), mask))
        return mask

    monkeypatch.setattr("gatewright.sw.compress.pruning.balanced_mask", recorded)
    network = copy.deepcopy(float_model.network)
    spec = uniform_spec(network, 0.25, bits=4, lanes=16, columns="contribution")
    prune(task, float_model, network, spec, dataclasses.replace(SETTINGS, prune_epochs=3))
    masks = [mask for shape, mask in seen if shape == (64, 16)]
    assert len(masks) > 3
    assert all((later <= earlier).all() for earlier, later in pairwise(masks))
    assert ((network.matrices()["layer0.recurrent"] != 0) <= masks[-1]).all()


def test_factors_are_trained_and_pruned(task, float_model):
    network = copy.deepcopy(float_model.network)
    network.layers[0].recurrent = network.layers[0].recurrent.factorised(8)
    before = [factor.detach().clone() for factor in network.layers[0].recurrent.factors]
    spec = uniform_spec(network, 0.5, lanes=16)
    with seeded(0):
        prune(task, float_model, network, spec, SETTINGS)
    for factor, start in zip(network.layers[0].recurrent.factors, before, strict=True):
        kept = factor != 0
        assert kept.float().mean() == 0.5
        assert not torch.equal(factor[kept], start[kept])
    assert dataclasses.replace(float_model, network=network).score(task.test, task.metric) >= 85


def test_retraining_leaves_zeros_alone(task, float_model):
    network = copy.deepcopy(float_model.network)
    matrix = network.matrices()["layer0.recurrent"]
    with torch.no_grad():
        matrix[:, ::2] = 0
    before = matrix.detach().clone()
    score = retrain(task, float_model, network, SETTINGS, 1, "retrain")
    assert not matrix[:, ::2].any()
    assert (matrix[:, 1::2] != before[:, 1::2]).all()
    assert score == dataclasses.replace(float_model, network=network).score(task.validation, task.metric)


def test_at_once_the_largest_weights_of_the_dense_network_stay(network_of):
    network = network_of(hidden=16, inputs=2, classes=3)
    before = {name: matrix.detach().clone() for name, matrix in network.matrices().items()}
    assert prune_at_once(network, SPEC) is network
    for name, density in (("layer0.input", 0.5), ("layer0.recurrent", 0.25)):
        mask = balanced_mask(before[name], gate_layout(16, before[name].shape[1], 16), density)
        assert torch.equal(network.matrices()[name], before[name] * mask)
    assert torch.equal(network.matrices()["head"], before["head"])


def test_the_density_falls_in_its_share_of_the_updates_only(task, float_model, monkeypatch):
    said = []

    @torch.no_grad()
    def recorded(task, dense, network, settings, epochs, what, progress, narrow):
        said.append((epochs, what))
        matrix = network.matrices()["layer0.recurrent"]
        # Densities of 0.634, 0.412 and 0.25, of 4 words; then the last masks stay.
        for before, done, kept in ((0.0, 0.1, 0.75), (0.1, 0.2, 0.5), (0.49, 0.6, 0.25), (0.5, 0.6, 1.0)):
            matrix.copy_(dense.network.matrices()["layer0.recurrent"])
            narrow(before, done)
            assert (matrix != 0).float().mean() == kept

    monkeypatch.setattr("gatewright.sw.compress.pruning.retrain", recorded)
    prune(task, float_model, copy.deepcopy(float_model.network), SPEC, SETTINGS)
    assert said == [(6, "prune to 0.25, 0.5, 1")]


def test_what_is_not_pruned_needs_no_pattern(network_of, task, float_model, monkeypatch):
    network = network_of(hidden=16, inputs=2, classes=3)
    # 128 lanes are more than the 64 rows of a gate matrix.
    spec = uniform_spec(network, lanes=128)
    spec = dataclasses.replace(spec, products=spec.products | {"head": ProductSpec(density=0.5)})
    # Each column of the head keeps 2 of 3 rows.
    assert prune_at_once(copy.deepcopy(network), spec).head.factors[0].count_nonzero() == 2 * 16
    said = []
    monkeypatch.setattr("gatewright.sw.compress.pruning.retrain", lambda *given: said.append(given[5]))
    prune(task, float_model, network, spec, SETTINGS)
    assert said == ["prune to 0.5, 1"]
