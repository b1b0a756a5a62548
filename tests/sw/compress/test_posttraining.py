import dataclasses

import numpy as np
import pytest

from gatewright.errors import ConfigError, DataError
from gatewright.sw.compress import CompressSettings, uniform_spec
from gatewright.sw.compress.posttraining import adapt, decision_agreement, integer_outputs
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.integer import run_integer

CALIBRATED = CompressSettings(quantise_epochs=0)
BRIEF = CompressSettings(prune_epochs=4, quantise_epochs=3, prune_rate=1e-2, quantise_rate=3e-3, seed=1)


def first_is_positive(outputs):
    return outputs[:, 0] > 0


@pytest.fixture
def model_of(network_of):
    def make(**shape):
        model = raw_model(network_of(**shape))
        return dataclasses.replace(model, settings=dataclasses.replace(model.settings, batch=4))

    return make


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    # Sparse and non-negative, as behind a ReLU.
    return [np.maximum(0, rng.normal(size=(steps, 3))).astype(np.float32) for steps in range(4, 24)]


def values(adapted):
    return {row.name: row.value for row in adapted.rows}


def test_a_model_without_a_head_is_compared_by_its_outputs(model_of, samples):
    model = model_of(head=False)
    adapted = adapt(
        model, samples, uniform_spec(model.network, lanes=8), CALIBRATED, decide=first_is_positive
    )
    held = np.random.default_rng(0).permutation(20)[:4]
    ours = integer_outputs(adapted.bundle, [samples[k] for k in held])
    theirs = model.outputs([samples[k] for k in held])
    signal, noise = (
        sum(np.square(y).sum() for y in part) for part in (theirs, map(np.subtract, ours, theirs))
    )
    assert values(adapted)["snr"] == pytest.approx(10 * np.log10(signal / noise), abs=1e-3)
    assert 25 < values(adapted)["snr"] < 60
    assert values(adapted)["decision_agreement"] == decision_agreement(first_is_positive, ours, theirs) > 90
    assert {row.unit for row in adapted.rows} == {"dB", "percent"}
    assert not any("accuracy" in text for text in (*values(adapted), *adapted.bundle.notes))


def test_a_model_with_a_head_is_compared_by_its_classes(model_of, samples):
    model = model_of()
    adapted = adapt(model, samples, uniform_spec(model.network, bits=2, lanes=8), CALIBRATED)
    held = [samples[k] for k in np.random.default_rng(0).permutation(20)[:4]]
    bundle = adapted.bundle
    head = bundle.head
    equal = []
    hidden, _ = run_integer(bundle, [bundle.quantise_input(x) for x in held])
    for ours, theirs in zip(hidden, model.outputs(held), strict=True):
        logits = ours @ head.matrix.values.T.astype(int) + head.bias
        wanted = theirs @ model.network.head().detach().numpy().T + model.network.head_bias.detach().numpy()
        equal.append(logits.argmax(axis=1) == wanted.argmax(axis=1))
    assert values(adapted) == {"agreement": pytest.approx(100 * np.concatenate(equal).mean())}


def test_zeros_stay_zeros(model_of, samples):
    model = model_of(head=False)
    bundle = adapt(model, samples, uniform_spec(model.network, lanes=8), CALIBRATED).bundle
    for x in samples:
        assert not bundle.quantise_input(x)[x == 0].any()


@pytest.mark.parametrize("head", [False, True])
def test_self_distillation_brings_the_outputs_nearer(model_of, samples, head):
    model = model_of(head=head)
    spec = uniform_spec(model.network, 0.5, bits=4, lanes=8)
    brief = dataclasses.replace(BRIEF, prune_epochs=2, prune_rate=1e-6, quantise_epochs=0)
    longer = dataclasses.replace(BRIEF, prune_epochs=10)
    (untrained,), (trained,) = (adapt(model, samples, spec, s).rows for s in (brief, longer))
    assert trained.value > untrained.value + 1


def test_the_model_is_left_as_it_is(model_of, samples):
    model = model_of(head=False)
    before = model.outputs(samples)
    adapt(model, samples, uniform_spec(model.network, 0.5, lanes=8), BRIEF)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.outputs(samples), strict=True))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda samples: samples[:1], "1 sample sequences: at least 2 are needed"),
        (lambda samples: [*samples, np.zeros((3, 4))], r"sequence 20 must be \[steps, 3\], not of shape"),
        (
            lambda samples: [*samples, np.full((3, 3), np.nan)],
            "sequence 20 must have at least 1 step and hold",
        ),
        (lambda samples: [np.zeros((0, 3)), *samples], "sequence 0 must have at least 1 step"),
    ],
)
def test_bad_samples_are_refused(model_of, samples, change, says):
    model = model_of(head=False)
    with pytest.raises(DataError, match=says):
        adapt(model, change(samples), uniform_spec(model.network, lanes=8), CALIBRATED)


def test_a_specification_of_another_model_is_refused(model_of, samples):
    spec = uniform_spec(model_of().network, lanes=8)
    with pytest.raises(ConfigError, match="products"):
        adapt(model_of(head=False), samples, spec, CALIBRATED)
