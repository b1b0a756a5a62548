from dataclasses import replace

import numpy as np
import pytest

from gatewright.sw.compress import uniform_spec
from gatewright.sw.compress.behaviour import behaviour_rows, confusion, layer_snr, scored_rows
from gatewright.sw.compress.quantise_model import quantise_model
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


def test_rows_name_the_classes(bundle, model):
    part = labelled(bundle)
    rows = list(behaviour_rows(bundle, model, part, ACCURACY, "small"))
    pairs = [row for row in rows if row.name == "confusion"]
    assert sum(row.value for row in pairs) == len(part)
    assert {row.parameters["target_class"] for row in pairs} <= set(bundle.labels)
    taught = behaviour_rows(bundle, model, part, BY_MODEL, "small")
    assert not [row for row in taught if row.name == "confusion"]


def test_layers_of_other_sizes_have_no_counterpart(bundle, model, network_of):
    other = raw_model(network_of(layers=2, hidden=20))
    assert layer_snr(replace(bundle), other, split(3, 1)) == {}
