import dataclasses
import json

import numpy as np
import pytest
import torch

from gatewright.errors import ConfigError, DataError
from gatewright.sw.compress import CompressSettings, uniform_spec
from gatewright.sw.compress.quantise_model import quantise_model, settings_for
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.integer import integer_results
from gatewright.sw.metrics import BY_MODEL, METRICS, Metric
from gatewright.sw.spec import ProductSpec
from gatewright.sw.tasks import Split, Task

CALIBRATED = CompressSettings(quantise_epochs=0)
BRIEF = CompressSettings(prune_epochs=4, quantise_epochs=3, prune_rate=1e-2, quantise_rate=3e-3, seed=1)


def first_is_positive(outputs, targets):
    return 100.0 * float(((outputs[:, 0] > 0) == (targets[:, 0] > 0)).mean())


DECISIONS = Metric("decisions", "percent", True, first_is_positive, "values", "teacher")


@pytest.fixture
def model_of(network_of):
    def make(**shape):
        model = raw_model(network_of(**shape))
        return dataclasses.replace(model, settings=dataclasses.replace(model.settings, batch=4))

    return make


def split(count, make=np.random.Generator.normal, first=0):
    """Sequences of 3 features without targets; they differ in length."""
    rng = np.random.default_rng(first)
    return Split([make(rng, size=(steps, 3)).astype(np.float32) for steps in range(4, 4 + count)])


def samples_of(make=np.random.Generator.normal, metric=BY_MODEL):
    parts = (split(count, make, first) for first, count in enumerate((12, 4, 6)))
    return Task("samples", (), *parts, metric=metric, taught=True)


def with_targets(task, model, metric):
    """Learn what the model gives, a little off, so that targets and teacher differ."""

    def targets_of(part):
        return Split(part.sequences, [each + np.float32(1e-4) for each in model.results(part.sequences)])

    parts = {name: targets_of(getattr(task, name)) for name in ("train", "validation", "test")}
    outputs = model.network.result_size
    labels = tuple(f"y{k}" for k in range(outputs))
    return dataclasses.replace(task, labels=labels, metric=METRICS[metric], taught=False, **parts)


def rectified(rng, size):
    return np.maximum(0, rng.normal(size=size))


def value(found, name, **parameters):
    (row,) = (r for r in found.rows if r.name == name and parameters.items() <= r.parameters.items())
    return row.value


def errors(bundle, model, sequences):
    """Root mean squares of the signal and of the error against the float model: [outputs] each."""
    ours, exact = (
        np.concatenate(each) for each in (integer_results(bundle, sequences), model.results(sequences))
    )
    return np.sqrt(np.square(exact).mean(axis=0)), np.sqrt(np.square(ours - exact).mean(axis=0))


def test_a_model_without_a_head_is_compared_by_its_outputs(model_of):
    model, task = model_of(head=False), samples_of()
    found = quantise_model(model, task, uniform_spec(model.network, lanes=8), name="small")
    signal, noise = errors(found.bundle, model, task.test.sequences)
    for output, expected in enumerate(20 * np.log10(signal / noise)):
        assert value(found, "snr", output=output) == pytest.approx(expected, abs=1e-3)
    expected = 10 * np.log10(np.square(signal).sum() / np.square(noise).sum())
    assert value(found, "snr", output="all") == pytest.approx(expected, abs=1e-3)
    assert value(found, "score", split="test") == pytest.approx(expected, abs=1e-3)
    assert 25 < expected < 60
    assert found.warnings == ()
    assert {row.parameters["model"] for row in found.rows if row.name != "scored"} == {"small"}
    assert (found.bundle.notes["metric"], found.bundle.notes["unit"]) == ("snr", "dB")
    assert found.bundle.notes["every_step"]
    assert json.loads(json.dumps(found.bundle.notes)) == found.bundle.notes


def test_a_model_of_several_logits_is_compared_by_its_classes(model_of):
    model, task = model_of(), samples_of()
    found = quantise_model(model, task, uniform_spec(model.network, bits=2, lanes=8))
    sequences = task.test.sequences
    ours, theirs = (
        np.concatenate(each).argmax(axis=1)
        for each in (integer_results(found.bundle, sequences), model.results(sequences))
    )
    assert value(found, "score", split="test", metric="agreement") == pytest.approx(
        100 * (ours == theirs).mean()
    )
    assert value(found, "snr", output="2") < 30


@pytest.mark.parametrize("metric", [None, "mse", "r2"])
def test_errors_of_one_output_are_reported_in_its_own_terms(model_of, metric):
    """The classes of one output cannot differ, but the output can: the worse the model, the worse the figure."""
    model = model_of(classes=1, hidden=32)
    task = samples_of()
    if metric:
        task = with_targets(task, model, metric)
    reported, true = [], []
    for bits, density in ((8, 1.0), (4, 1.0), (2, 1.0), (2, 0.1)):
        settings = CompressSettings(prune_epochs=2, quantise_epochs=0, prune_rate=1e-6)
        found = quantise_model(model, task, uniform_spec(model.network, density, bits, lanes=8), settings)
        (row,) = (r for r in found.rows if r.name == "score" and r.parameters["split"] == "test")
        reported.append(row.value if row.parameters["better"] == "less" else -row.value)
        true.append(float(errors(found.bundle, model, task.test.sequences)[1][0]))
    assert true == sorted(true)
    assert reported == sorted(reported)
    assert len(set(reported)) == 4


def prices(rng, size):
    """Prices near 100 beside a volume near a million."""
    steps, _ = size
    price = 100 + np.cumsum(0.5 * rng.normal(size=(steps, 2)), axis=0)
    return np.concatenate([price, 1e6 * np.exp(0.3 * rng.normal(size=(steps, 1)))], axis=1)


@pytest.fixture
def of_prices(model_of):
    """A model that works on raw features, with the scaling inside its first matrix, and samples."""
    model, task = model_of(head=False, hidden=32), samples_of(prices)
    steps = np.concatenate(task.train.sequences).astype(np.float64)
    mean, deviation = (torch.from_numpy(each) for each in (steps.mean(axis=0), steps.std(axis=0)))
    layer = model.network.layers[0]
    with torch.no_grad():
        layer.input.factors[0].div_(deviation)
        layer.bias.sub_((layer.input().double() @ mean).float())
    return model, task


def test_raw_features_of_very_different_size_are_brought_to_one_scale(of_prices):
    model, task = of_prices
    found = quantise_model(model, task, uniform_spec(model.network, lanes=8))
    assert value(found, "snr", output="all") >= 30
    assert found.warnings == ()
    signal, noise = errors(found.bundle, model, task.test.sequences)
    assert 10 * np.log10(np.square(signal).sum() / np.square(noise).sum()) >= 30


def test_features_that_are_not_brought_to_one_scale_are_named(of_prices):
    model, task = of_prices
    found = quantise_model(model, task, uniform_spec(model.network, lanes=8), scale=False)
    assert value(found, "snr", output="all") < 0
    features, matrix = found.warnings
    assert "0 (1), 1 (1). " in features
    assert matrix.startswith("layer0.input: its weights spread over")


def test_the_size_is_asked_for_before_training(model_of):
    model, task, said, seen = model_of(), samples_of(), [], []
    spec = uniform_spec(model.network, 0.25, bits=4, lanes=8, rank=2)
    spec = dataclasses.replace(spec, hidden={"layer0": 6})

    def fits(bundle):
        seen.append(bundle)
        if len(seen) == 2:
            raise ConfigError("too large")

    found = quantise_model(model, task, spec, BRIEF, fits=fits, progress=lambda what, *_: said.append(what))
    assert found.bundle.layers[0].hidden_size == 6
    for name, stage in found.bundle.matrices.items():
        before = seen[0].matrices[name]
        assert before.matrix.values.shape == stage.matrix.values.shape
        assert before.matrix.format.bits == stage.matrix.format.bits
        assert before.matrix.density == pytest.approx(stage.matrix.density, abs=0.1)
    assert set(said) == {"prune to 0.25, 1", "quantise"}
    said.clear()
    with pytest.raises(ConfigError, match="too large"):
        quantise_model(model, task, spec, BRIEF, fits=fits, progress=lambda what, *_: said.append(what))
    assert said == []


def test_without_targets_a_whole_model_is_only_calibrated(model_of, task):
    model, samples = model_of(), samples_of()
    whole, pruned = (uniform_spec(model.network, density) for density in (1.0, 0.5))
    assert settings_for(samples, whole).quantise_epochs == 0
    assert settings_for(samples, pruned) == samples.compression
    assert settings_for(samples, uniform_spec(model.network, rank=2)) == samples.compression
    assert settings_for(task, whole) == task.compression


def test_a_users_own_metric_is_reported(model_of):
    model, task = model_of(head=False), samples_of(metric=DECISIONS)
    found = quantise_model(model, task, uniform_spec(model.network, lanes=8))
    sequences = task.test.sequences
    ours, theirs = (
        np.concatenate(e) for e in (integer_results(found.bundle, sequences), model.results(sequences))
    )
    assert value(found, "score", split="test", metric="decisions") == first_is_positive(ours, theirs) > 90


def test_zeros_stay_zeros(model_of):
    model, task = model_of(head=False), samples_of(rectified)
    bundle = quantise_model(model, task, uniform_spec(model.network, lanes=8)).bundle
    for x in task.test.sequences:
        assert not bundle.quantise_input(x)[x == 0].any()


@pytest.mark.parametrize("shape", [{}, {"head": False}, {"classes": 1}, {"layers": 2, "projection": 6}])
def test_self_distillation_brings_the_outputs_nearer(model_of, shape):
    model, task = model_of(**shape), samples_of()
    spec = uniform_spec(model.network, 0.5, bits=4, lanes=8)
    brief = dataclasses.replace(BRIEF, prune_epochs=2, prune_rate=1e-6, quantise_epochs=0)
    longer = dataclasses.replace(BRIEF, prune_epochs=10)
    untrained, trained = (
        value(quantise_model(model, task, spec, s), "snr", output="all") for s in (brief, longer)
    )
    assert trained > untrained + 1


def test_values_of_every_step_are_learned(model_of):
    model = model_of(classes=2, layers=2, projection=6)
    task = with_targets(samples_of(), model, "mse")
    spec = uniform_spec(model.network, bits=2, lanes=8)
    calibrated, trained = (
        value(quantise_model(model, task, spec, settings), "score", split="test", metric="mse")
        for settings in (CALIBRATED, dataclasses.replace(BRIEF, quantise_epochs=10))
    )
    assert trained < 0.7 * calibrated


def test_the_model_is_left_as_it_is(of_prices):
    model, task = of_prices
    before = model.outputs(task.test.sequences)
    quantise_model(model, task, uniform_spec(model.network, 0.5, lanes=8), BRIEF)
    after = model.outputs(task.test.sequences)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_what_does_not_suit_is_refused(model_of):
    model = model_of(head=False)
    with pytest.raises(ConfigError, match="products"):
        quantise_model(model, samples_of(), uniform_spec(model_of().network, lanes=8))
    wide = dataclasses.replace(samples_of(), train=Split([np.zeros((3, 4), np.float32)] * 2))
    with pytest.raises(DataError, match="samples has 4 features, but the model takes 3"):
        quantise_model(model, wide, uniform_spec(model.network, lanes=8))
    with pytest.raises(ConfigError, match="agreement needs at least 2 outputs"):
        quantise_model(
            model_of(classes=1),
            samples_of(metric=METRICS["agreement"]),
            uniform_spec(model_of(classes=1).network, lanes=8),
        )


def test_dropped_units_are_trained_for_though_nothing_is_pruned(model_of):
    spec = dataclasses.replace(uniform_spec(model_of().network), hidden={"layer0": 4})
    assert settings_for(samples_of(), spec) == samples_of().compression


def test_where_the_last_step_counts_its_outputs_are_compared(model_of):
    model, sequences = model_of(), split(6).sequences
    with torch.no_grad():
        # The first class's logit is zero throughout: no ratio.
        model.network.head.factors[0][0] = 0
        model.network.head_bias[0] = 0
    part = Split(sequences, np.arange(6) % 4)
    task = Task("last", tuple("abcd"), part, part, part)
    found = quantise_model(model, task, uniform_spec(model.network, lanes=8), CALIBRATED)
    ours, exact = (
        np.array([each[-1] for each in results])
        for results in (integer_results(found.bundle, sequences), model.results(sequences))
    )
    ratios = 10 * np.log10(np.square(exact[:, 1:]).sum(axis=0) / np.square(ours - exact)[:, 1:].sum(axis=0))
    told = {row.parameters["output"]: row.value for row in found.rows if row.name == "snr"}
    together = 10 * np.log10(np.square(exact).sum() / np.square(ours - exact).sum())
    assert told == pytest.approx(dict(zip("bcd", ratios, strict=True)) | {"all": together}, abs=1e-3)
    assert {row.unit for row in found.rows if row.name == "snr"} == {"dB"}


def test_of_targets_of_every_step_those_that_count_are_compared(model_of):
    model, sequences = model_of(), split(3).sequences
    targets = [np.full(len(x), -1) for x in sequences]
    targets[0][1], targets[2][0] = 2, 1
    part = Split(sequences, targets)
    task = Task("some", tuple("abcd"), part, part, part)
    found = quantise_model(model, task, uniform_spec(model.network, lanes=8), CALIBRATED)
    ours, exact = (
        np.array([results[0][1], results[2][0]])
        for results in (integer_results(found.bundle, sequences), model.results(sequences))
    )
    together = 10 * np.log10(np.square(exact).sum() / np.square(ours - exact).sum())
    assert value(found, "snr", output="all") == pytest.approx(together, abs=1e-3)


def test_what_is_not_pruned_may_have_fewer_rows_than_lanes(model_of):
    model, task = model_of(), samples_of()
    spec = uniform_spec(model.network, lanes=64)
    spec = dataclasses.replace(spec, products=spec.products | {"head": ProductSpec(density=0.5)})
    settings = dataclasses.replace(BRIEF, prune_epochs=2, quantise_epochs=0)
    assert quantise_model(model, task, spec=spec, settings=settings).bundle.head.matrix.nonzeros <= 16


def test_patterns_that_keep_more_than_asked_for_are_told(model_of):
    model, task = model_of(), samples_of()
    settings = dataclasses.replace(BRIEF, prune_epochs=2, quantise_epochs=0)

    def told(**shape):
        spec = uniform_spec(model.network, **shape)
        found = quantise_model(model, task, spec=spec, settings=settings)
        return [text for text in found.warnings if "asked for" in text], found

    (text,), found = told(density=0.25, lanes=16)
    assert text == (
        "more weights stay than were asked for: layer0.input 50 %, not 25 %; layer0.recurrent 50 %, not 25 %. Every "
        "column keeps a word of all 16 lanes at least: take fewer lanes, or columns by contribution"
    )
    for name in ("input", "recurrent"):
        assert value(found, "weight_density", matrix=f"layer0.{name}") == 50
    assert told(density=1.0, lanes=16)[0] == []
    for remedy in ({"lanes": 8}, {"columns": "contribution"}):
        warnings, found = told(**{"density": 0.25, "lanes": 16} | remedy)
        assert "recurrent" not in "".join(warnings)
        assert value(found, "weight_density", matrix="layer0.recurrent") <= 25
    # Three inputs of 32 rows have six words of 16 lanes, of which one is more than 12.5 %.
    (text,), found = told(density=0.125, lanes=16, columns="contribution")
    assert text.endswith("What stays or goes is a word of all 16 lanes: take fewer lanes")
