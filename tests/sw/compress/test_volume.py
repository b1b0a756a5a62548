import copy
import dataclasses

import pytest
import torch
from ramps import made_task

from gatewright.sw.compress.quantise import QuantisedNetwork
from gatewright.sw.compress.rounds import Requirement
from gatewright.sw.compress.volume import Quantised, narrow_all, narrow_one, quantise_to
from gatewright.sw.determinism import seeded
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.integer import evaluate
from gatewright.sw.settings import CompressSettings, SimplifySettings
from gatewright.sw.spec import CompressionSpec, ProductSpec
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


@pytest.fixture
def tried(network_of, monkeypatch):
    """Run on scripted scores, with hardly any training; records what would have been trained, and what was frozen."""
    task, model = made_task(0, 24), raw_model(network_of(inputs=2, classes=3, hidden=4))
    recurrent = model.network.matrices()["layer0.recurrent"]
    with torch.no_grad():
        recurrent[0, :3] = 0
    trained, frozen, freeze = [], [], QuantisedNetwork.freeze

    @torch.no_grad()
    def train(task, dense, student, settings, what, progress):
        trained.append(what)
        matrix = student.masters.matrices()["layer0.recurrent"]
        matrix += 0.01
        if len(trained) > 1:
            # Weights that become zero are still among those that are frozen.
            matrix[5] = 0

    monkeypatch.setattr("gatewright.sw.compress.volume.train_quantised", train)

    def recorded(student, name, mask):
        if name == "layer0.recurrent":
            assert not mask[0, :3].any()
            frozen.append(int(mask.sum()))
        freeze(student, name, mask)

    monkeypatch.setattr(QuantisedNetwork, "freeze", recorded)

    def run(scores, wanted, bits, scheme):
        left = iter(scores)
        monkeypatch.setattr("gatewright.sw.compress.volume.evaluate", lambda *_: next(left))
        how = SimplifySettings(scheme=scheme, lanes=4)
        result = quantise_to(task, model, model.network, Requirement(wanted, bits), volume, SETTINGS, how)
        assert list(left) == []
        return result, trained, frozen

    return run


SMALL = 16 * 2 + 16 * 4 + 3 * 4
"""Weights of the network of `tried`, three of which are zero."""


def test_rounds_with_all_weights_frozen_are_not_trained(tried):
    (model, rounds, _), trained, frozen = tried([90, 10, 10, 10, 90, 90], 50, 2 * SMALL, "incremental")
    what = "head to 4 bits, layer0.input to 4 bits, layer0.recurrent to 4 bits"
    narrower = what.replace("4", "2")
    assert trained == ["all to 8 bits", what, what, what, narrower]
    assert model.volume == 2 * SMALL
    left = model.network.matrices()["layer0.recurrent"]
    assert not left[0, :3].any()
    assert left[0, 3] != 0
    # Of the 61 weights that are not zero, of which training leaves 57.
    assert frozen == [30, 46, 53, 61, 28]
    told = [(each.stage, each.what, each.share, each.dropped, each.score, each.passed) for each in rounds]
    assert told == [
        ("integers", "all to 8 bits", 0.0, 0, 90, True),
        ("quantise", what, 0.5, 0, 10, False),
        ("quantise", what, 0.75, 0, 10, False),
        ("quantise", what, 0.875, 0, 10, False),
        ("quantise", what, 1.0, 0, 90, True),
        ("quantise", narrower, 0.5, 0, 90, True),
    ]


def test_a_volume_without_the_score_ends_it(tried):
    (model, rounds, reason), *_ = tried([10], 50, 8 * SMALL, "descent")
    assert (model.score, model.volume, reason) == (10, 8 * SMALL, "")
    assert [each.passed for each in rounds] == [False]
    (model, rounds, reason), *_ = tried([10], 50, 8 * SMALL - 1, "descent")
    assert reason == "in 8 bits the score is 10 percent already"


def test_weights_that_are_not_zero_are_counted(tried):
    (model, rounds, _), *_ = tried([90], 50, 8 * SMALL, "descent")
    nonzeros = sum(int(stage.matrix.values.astype(bool).sum()) for stage in model.bundle.matrices.values())
    assert [each.weights for each in rounds] == [nonzeros]
    assert nonzeros <= SMALL - 3


def quantised(**bits):
    return Quantised(
        None, CompressionSpec({name: ProductSpec(bits=b) for name, b in bits.items()}), None, 0.0, 0
    )


def test_the_next_widths_are_those_that_nothing_forbids():
    model = quantised(a=8, b=4, c=2, d=8)
    assert narrow_all(model, set(), None) == {("a", 4), ("b", 2), ("d", 4)}
    assert narrow_all(model, {("a", 4), ("b", 4)}, None) == {("b", 2), ("d", 4)}

    def loss(network, spec):
        (changed,) = (name for name, product in spec.products.items() if product != model.spec.products[name])
        assert spec.products[changed].bits == {"a": 4, "b": 2, "d": 4}[changed]
        return {"a": 2.0, "b": 1.0, "d": 3.0}[changed]

    assert narrow_one(model, set(), loss) == {("b", 2)}
    assert narrow_one(model, {("b", 2)}, loss) == {("a", 4)}
    assert narrow_one(quantised(c=2), set(), loss) == set()
