import dataclasses
from itertools import pairwise

import pytest
import torch

from gatewright.sw.compress.pattern import balanced_mask
from gatewright.sw.compress.pruning import PRUNING_SHARE, prune, scheduled_density
from gatewright.sw.determinism import seeded
from gatewright.sw.settings import CompressSettings

SETTINGS = CompressSettings(density=0.25, lanes=16, prune_epochs=6, prune_rate=1e-2)


def test_the_density_falls_fast_then_slowly_to_its_target():
    values = [scheduled_density(0.125, k / 20) for k in range(21)]
    assert values[0] == 1.0
    assert values[1] - values[0] < values[9] - values[8] < 0
    assert scheduled_density(0.125, PRUNING_SHARE / 2) == pytest.approx(0.125 + 0.875 / 8)
    assert values[10:] == [0.125] * 11


@pytest.fixture(scope="module")
def pruned(task, float_model):
    with seeded(0):
        return prune(task, float_model, SETTINGS)


def test_both_matrices_end_with_the_pattern(pruned):
    for matrix in pruned.gate_matrices:
        kept = matrix != 0
        assert kept.float().mean() == 0.25
        assert torch.equal(kept, balanced_mask(matrix, 16, 0.25))


def test_the_task_is_still_solved_and_the_dense_model_untouched(pruned, float_model, task):
    assert dataclasses.replace(float_model, network=pruned).accuracy(task.test) >= 90
    assert (float_model.network.gate_matrices[1] != 0).all()
    assert float_model.accuracy(task.validation) == float_model.history[-1]


def test_weights_that_were_dropped_never_come_back(task, float_model, monkeypatch):
    seen = []

    def recorded(weights, lanes, density, slots):
        assert (lanes, slots) == (16, 2)
        mask = balanced_mask(weights, lanes, density, slots)
        seen.append((tuple(weights.shape), mask))
        return mask

    monkeypatch.setattr("gatewright.sw.compress.pruning.balanced_mask", recorded)
    prune(task, float_model, dataclasses.replace(SETTINGS, prune_epochs=3, weight_bits=4))
    masks = [mask for shape, mask in seen if shape == (64, 16)]
    assert len(masks) > 3
    assert all((later <= earlier).all() for earlier, later in pairwise(masks))
