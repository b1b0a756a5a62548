from dataclasses import replace

import numpy as np
import pytest
import torch

from gatewright.errors import BundleError
from gatewright.results import Rows
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import behaviour, uniform_spec
from gatewright.sw.compress.behaviour import (
    behaviour_rows,
    confusion,
    layer_snr,
    scored_rows,
    with_behaviour,
)
from gatewright.sw.compress.quantise import calibrate
from gatewright.sw.compress.quantise_model import quantise_model
from gatewright.sw.compress.units import keep_units
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.integer import evaluate, run_integer
from gatewright.sw.metrics import BY_MODEL, METRICS
from gatewright.sw.tasks import Split, Task

ACCURACY = METRICS["accuracy"]


def split(count, first):
    rng = np.random.default_rng(first)
    return Split([rng.normal(size=(steps, 3)).astype(np.float32) for steps in range(4, 4 + count)])


@pytest.fixture
def model(network_of):
    return raw_model(network_of(layers=2))


@pytest.fixture
def bundle(model):
    task = Task("samples", (), *(split(6, first) for first in range(3)), metric=BY_MODEL, taught=True)
    return quantise_model(model, task, uniform_spec(model.network, lanes=8)).bundle


def labelled(bundle, count=8):
    """Sequences whose targets are the model's own classes, but for the first, which is another."""
    part = split(count, 9)
    classes = len(bundle.labels)
    own = [pair[1] for pair in per_sequence(bundle, part)]
    return Split(part.sequences, np.array([(own[0] + 1) % classes, *own[1:]]))


def per_sequence(bundle, part):
    for sequence in part.sequences:
        alone = Split([sequence], np.array([0]))
        ((pair, _),) = confusion(bundle, alone).items()
        yield pair


def test_pairs_of_classes_add_up_to_the_accuracy(bundle):
    part = labelled(bundle)
    found = confusion(bundle, part)
    right = sum(count for (target, predicted), count in found.items() if target == predicted)
    assert sum(found.values()) == len(part) == right + 1
    assert evaluate(bundle, part, ACCURACY) == pytest.approx(100 * right / len(part))


def test_steps_without_a_target_do_not_count(bundle):
    part = split(5, 4)
    targets = [np.full(len(x), -1) for x in part.sequences]
    targets[2][1] = 1
    every = Split(part.sequences, targets)
    assert sum(confusion(bundle, every).values()) == 1
    task = Task("samples", bundle.labels, every, every, every, metric=ACCURACY)
    assert [(row.value, row.parameters) for row in scored_rows(task)] == [
        (1, {"split": "validation"}),
        (1, {"split": "test"}),
    ]


def test_each_layer_is_held_against_its_own(bundle, model):
    part = split(6, 5)
    found = layer_snr(bundle, model, part)
    assert list(found) == ["layer0", "layer1"]
    outputs, _ = run_integer(bundle, [bundle.quantise_input(x) for x in part.sequences])
    ours = np.concatenate([each.ravel() for each in outputs]) * bundle.layers[-1].output_format.lsb
    exact = np.concatenate([each.ravel() for each in model.outputs(part.sequences)]).astype(float)
    expected = 10 * np.log10(np.square(exact).sum() / np.square(ours - exact).sum())
    assert found["layer1"] == pytest.approx(expected, abs=1e-6)
    assert found["layer0"] > 20


def test_what_is_noted_comes_back_as_rows(bundle, model, tmp_path):
    part = labelled(bundle)
    task = Task("samples", bundle.labels, part, part, part, metric=ACCURACY)
    with_behaviour(bundle, model, task).save(tmp_path / "small.npz")
    noted = Bundle.load(tmp_path / "small.npz")
    rows = Rows(behaviour_rows(noted, "small"))
    assert rows.values("scored", "split") == {"validation": len(part), "test": len(part)}
    assert rows.values("layer_snr", "layer", model="small") == layer_snr(bundle, model, part)
    pairs = {
        (bundle.labels[target], bundle.labels[predicted]): count
        for (target, predicted), count in confusion(bundle, part).items()
    }
    told = rows.lines("confusion", "target_class", "predicted_class")
    assert {(target, predicted): count for count, target, predicted in told} == pairs


def test_a_taught_model_has_no_confusion(bundle):
    rows = list(behaviour_rows(bundle, "small"))
    assert {row.name for row in rows} == {"scored", "layer_snr"}


@pytest.mark.parametrize(
    "noted", [7, {}, {"scored": {"test": 1}, "layer_snr": {}, "confusion": [["a", "b"]]}]
)
def test_malformed_notes_are_named(bundle, noted):
    with pytest.raises(BundleError, match="the notes of small on how it behaves are malformed"):
        list(behaviour_rows(replace(bundle, notes={"behaviour": noted}), "small"))


def test_a_model_of_an_older_release_has_no_such_rows(bundle):
    assert list(behaviour_rows(replace(bundle, notes={}), "small")) == []


def test_layers_of_other_sizes_have_no_counterpart(bundle, model, network_of):
    other = raw_model(network_of(layers=2, hidden=20))
    assert layer_snr(replace(bundle), other, split(3, 1)) == {}


def calibrated(model, network):
    inputs = model.standardise(split(6, 0).sequences)
    made = calibrate(network, inputs, uniform_spec(network, activation_bits=16))
    return made.bundle(model.mean, model.deviation, model.labels)


def test_layers_above_one_that_lost_units_are_still_compared(network_of):
    model, part = raw_model(network_of(layers=2)), split(6, 5)
    with torch.no_grad():
        # What the first unit gives is taken by nothing.
        model.network.layers[0].recurrent.factors[0][:, 0] = 0
        model.network.layers[1].input.factors[0][:, 0] = 0
    small = keep_units(model.network, [torch.arange(8) != 0, torch.ones(8, dtype=torch.bool)])
    found = layer_snr(calibrated(model, small), model, part)
    assert list(found) == ["layer1"]
    assert found["layer1"] > 30


@pytest.mark.parametrize(("most", "shown"), [(1, False), (2, True)])
def test_one_logit_means_two_classes(network_of, monkeypatch, most, shown):
    monkeypatch.setattr(behaviour, "MOST_CLASSES", most)
    model = raw_model(network_of(classes=1))
    sequences = split(6, 1).sequences
    outputs = [each[-1, 0] for each in model.results(sequences)]
    with torch.no_grad():
        model.network.head_bias -= float(np.median(outputs))
    bundle = calibrated(model, model.network)
    part = Split(sequences, np.zeros(6, dtype=np.int64))
    noted = with_behaviour(bundle, model, Task("samples", ("no", "yes"), part, part, part)).notes["behaviour"]
    assert noted.get("confusion") == ([["0", "0", 3], ["0", "1", 3]] if shown else None)


@pytest.mark.parametrize(("classes", "shown"), [(64, True), (65, False)])
def test_a_confusion_of_many_classes_is_left_out(network_of, classes, shown):
    model = raw_model(network_of(classes=classes))
    part = Split(split(6, 1).sequences, np.zeros(6, dtype=np.int64))
    task = Task("samples", model.labels, part, part, part)
    noted = with_behaviour(calibrated(model, model.network), model, task).notes["behaviour"]
    assert ("confusion" in noted) == shown


def test_values_have_no_confusion(bundle, model):
    part = split(5, 2)
    part = Split(part.sequences, np.zeros((5, 4), dtype=np.float32))
    task = Task("samples", bundle.labels, part, part, part, metric=METRICS["mse"])
    noted = with_behaviour(bundle, model, task).notes["behaviour"]
    assert set(noted) == {"scored", "layer_snr"}
    assert noted["scored"] == {"validation": 5, "test": 5}


def test_without_targets_nothing_is_scored(bundle):
    task = Task("samples", (), *(split(6, first) for first in range(3)), metric=BY_MODEL, taught=True)
    assert [row.value for row in scored_rows(task)] == [0, 0]


def test_two_logits_have_names(network_of):
    model = replace(raw_model(network_of(classes=2)), labels=("no", "yes"))
    part = Split(split(6, 1).sequences, np.ones(6, dtype=np.int64))
    task = Task("samples", model.labels, part, part, part)
    noted = with_behaviour(calibrated(model, model.network), model, task).notes["behaviour"]
    assert {target for target, _, _ in noted["confusion"]} == {"yes"}
    assert {predicted for _, predicted, _ in noted["confusion"]} <= {"no", "yes"}
