import copy
import dataclasses

import pytest
import torch

from gatewright.sw.compress.quantise import QuantisedNetwork
from gatewright.sw.compress.rounds import Requirement
from gatewright.sw.compress.volume import quantise_to
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import evaluate
from gatewright.sw.settings import CompressSettings, SimplifySettings
from gatewright.sw.tasks import Split

SETTINGS = CompressSettings(quantise_epochs=1, quantise_rate=5e-3)


@pytest.fixture(scope="module")
def short(task):
    """A third of the sequences, for speed."""
    train = Split(task.train.sequences[::3], task.train.targets[::3])
    return dataclasses.replace(task, train=train)


def volume(bundle):
    """The bits of all weights."""
    return sum(stage.matrix.values.size * stage.matrix.format.bits for stage in bundle.matrices.values())


def run(task, model, score, bits, scheme, network=None):
    how = SimplifySettings(scheme=scheme, lanes=16)
    with seeded(0):
        return quantise_to(
            task, model, network or model.network, Requirement(score, bits), volume, SETTINGS, how
        )


SIZE = 64 * 2 + 64 * 16 + 3 * 16


def widths(model):
    return {name: product.bits for name, product in model.spec.products.items()}


@pytest.mark.parametrize("scheme", ["incremental", "descent"])
def test_a_volume_that_is_met_takes_no_rounds(short, float_model, scheme):
    model, rounds, reason = run(short, float_model, 80.0, 8 * SIZE, scheme)
    assert [each.stage for each in rounds] == ["integers"]
    assert (model.volume, reason) == (8 * SIZE, "")
    assert set(widths(model).values()) == {8}


@pytest.mark.parametrize("scheme", ["incremental", "descent"])
def test_weights_get_narrower_until_the_volume_is_met(short, float_model, scheme):
    model, rounds, reason = run(short, float_model, 75.0, 5 * SIZE, scheme)
    assert reason == ""
    assert model.volume == volume(model.bundle) <= 5 * SIZE
    assert model.score == evaluate(model.bundle, short.validation, short.metric) >= 75
    assert all(each.volume > 5 * SIZE for each in rounds[:-1])
    assert {name: stage.matrix.format.bits for name, stage in model.bundle.matrices.items()} == widths(model)


def test_descent_narrows_one_product_after_the_other(short, float_model):
    _, rounds, _ = run(short, float_model, 0.0, 2 * SIZE, "descent")
    steps = [each.what for each in rounds[1:]]
    assert len(steps) == len(set(steps)) == 6
    for name in ("head", "layer0.input", "layer0.recurrent"):
        assert steps.index(f"{name} to 4 bits") < steps.index(f"{name} to 2 bits")


def test_incremental_freezes_the_largest_weights_first(short, float_model, monkeypatch):
    frozen = []

    def recorded(student, name, mask):
        if name == "layer0.recurrent":
            magnitude = student.masters.matrices()[name].detach().abs()
            assert mask.all() or magnitude[mask].min() >= magnitude[~mask].max()
            frozen.append(float(mask.float().mean()))

    monkeypatch.setattr(QuantisedNetwork, "freeze", recorded)
    _, rounds, _ = run(short, float_model, 101.0, 8 * SIZE - 1, "incremental")
    assert len(rounds) == 1
    _, rounds, reason = run(short, float_model, 0.0, 1, "incremental")
    assert frozen == [0.5, 0.75, 0.875, 1.0] * 2
    assert [each.share for each in rounds[1:]] == frozen
    assert reason == f"no narrower weights keep the score; the smallest image has {2 * SIZE} bits"


@pytest.mark.parametrize("scheme", ["incremental", "descent"])
def test_a_width_that_loses_the_score_is_taken_back(short, float_model, scheme, monkeypatch):
    def judged(bundle, split, metric):
        return 50.0 if bundle.matrices["head"].matrix.format.bits < 8 else 90.0

    monkeypatch.setattr("gatewright.sw.compress.volume.evaluate", judged)
    model, rounds, reason = run(short, float_model, 80.0, 1, scheme)
    assert reason.startswith("no narrower weights keep the score")
    assert model.score == 90
    expected = 8 if scheme == "incremental" else 2
    assert widths(model) == {"layer0.input": expected, "layer0.recurrent": expected, "head": 8}
    assert any(not each.passed for each in rounds)


def test_a_score_lost_in_8_bits_is_told(short, float_model):
    model, rounds, reason = run(short, float_model, 101.0, 1, "descent")
    assert len(rounds) == 1
    assert not rounds[0].passed
    assert reason == f"in 8 bits the score is {model.score:.4g} percent already"


def test_zeros_stay_zero(short, float_model):
    network = copy.deepcopy(float_model.network)
    with torch.no_grad():
        network.matrices()["layer0.recurrent"][:, ::2] = 0
    model, _, _ = run(short, float_model, 0.0, 5 * SIZE, "descent", network)
    assert not model.bundle.matrices["layer0.recurrent"].matrix.values[:, ::2].any()
    assert not model.network.matrices()["layer0.recurrent"][:, ::2].any()
