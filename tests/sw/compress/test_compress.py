import copy
import dataclasses
import json

import numpy as np
import pytest
import torch

from gatewright.errors import CapacityError, ConfigError, DataError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import (
    CompressionSpec,
    CompressSettings,
    Requirement,
    SimplifySettings,
    compress,
    compress_to,
    suited,
    uniform_spec,
)
from gatewright.sw.compress.quantise import calibrate
from gatewright.sw.compress.quantise_model import quantise_model
from gatewright.sw.compress.units import keep_units
from gatewright.sw.compress.volume import Quantised
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.integer import evaluate
from gatewright.sw.metrics import BY_MODEL, IGNORED, METRICS
from gatewright.sw.rows import gate_rows
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.search.supernet import SuperNetwork
from gatewright.sw.tasks import Split, Task, task_from

BRIEF = CompressSettings(prune_epochs=6, quantise_epochs=3, prune_rate=1e-2, seed=5)
HOW = SimplifySettings(lanes=8, round_epochs=1, share=0.5, least_share=0.3)


@pytest.fixture(scope="module")
def quarter(float_model):
    return uniform_spec(float_model.network, 0.25, lanes=16)


@pytest.fixture(scope="module")
def bundle(task, float_model, quarter):
    return compress(task, float_model, quarter, BRIEF)


def test_no_lane_and_column_holds_more_than_its_share(bundle):
    lane, _ = gate_rows(16, 16)
    layer = bundle.layers[0]
    for matrix in (layer.input, layer.recurrent):
        for which in range(16):
            assert (np.count_nonzero(matrix.values[lane == which], axis=0) <= 1).all()
        assert matrix.density > 0.2


def test_notes_tell_where_the_model_comes_from(bundle, task, quarter):
    notes = bundle.notes
    assert json.loads(json.dumps(notes)) == notes
    assert (notes["task"], notes["seed"], notes["density"]) == ("ramps", 5, 0.25)
    assert notes["scores"]["test"] == evaluate(bundle, task.test, task.metric) >= 90
    assert notes["scores"]["validation"] == evaluate(bundle, task.validation, task.metric)
    assert notes["settings"]["prune_epochs"] == 6
    assert notes["train_settings"]["hidden"] == 16
    assert CompressionSpec.from_json(notes["spec"]) == quarter


def test_the_same_seed_gives_the_same_integers(bundle, task, float_model, quarter, tmp_path):
    again = compress(task, float_model, quarter, BRIEF)
    for k, made in enumerate((bundle, again)):
        made.save(tmp_path / f"{k}.npz")
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()
    assert Bundle.load(tmp_path / "0.npz").notes == bundle.notes


def test_a_density_of_one_only_quantises(task, float_model):
    said = []
    spec = uniform_spec(float_model.network, lanes=16)
    made = compress(task, float_model, spec, BRIEF, lambda what, *_: said.append(what))
    assert set(said) == {"quantise"}
    assert made.notes["density"] == 1.0


def test_rank_bits_and_density_are_each_products_own(task, float_model):
    spec = uniform_spec(float_model.network, 0.5, lanes=16, rank=6)
    head = dataclasses.replace(spec.products["head"], bits=4)
    spec = dataclasses.replace(spec, products=spec.products | {"head": head})
    made = compress(task, float_model, spec, BRIEF)
    layer = made.layers[0]
    assert (layer.recurrent.rank, layer.recurrent.first.format.bits, made.head.matrix.format.bits) == (
        6,
        8,
        4,
    )
    assert layer.recurrent.nonzeros <= 0.5 * 6 * (64 + 16)
    assert made.notes["scores"]["test"] >= 85


def test_a_smaller_network_can_be_the_start(task, float_model):
    small = keep_units(float_model.network, [torch.arange(16) < 8])
    made = compress(task, float_model, uniform_spec(small, 0.5, lanes=8), BRIEF, start=small)
    assert made.layers[0].hidden_size == 8
    assert small.layers[0].input.factors[0].count_nonzero() == 64
    assert made.notes["scores"]["test"] >= 85


def test_a_density_that_no_pattern_has_is_told(task, float_model):
    settings = dataclasses.replace(BRIEF, prune_epochs=2, quantise_epochs=1)
    made = compress(task, float_model, uniform_spec(float_model.network, 0.4, lanes=16), settings)
    assert made.notes["density"] == 0.5
    assert made.notes["spec"]["products"]["layer0.input"]["density"] == 0.4


def test_bits_of_every_step_are_the_scores_of_such_a_task(task, float_model):
    def stepped(split):
        return Split(
            split.sequences, [np.full(len(x), y) for x, y in zip(split.sequences, split.targets, strict=True)]
        )

    splits = {name: stepped(getattr(task, name)) for name in ("train", "validation", "test")}
    every = dataclasses.replace(task, metric=METRICS["bits"], **splits)
    settings = dataclasses.replace(BRIEF, prune_epochs=2, quantise_epochs=1, distillation=0.5)
    made = compress(every, float_model, uniform_spec(float_model.network, 0.5, lanes=16), settings)
    assert made.notes["scores"]["test"] == evaluate(made, every.test, METRICS["bits"]) < 1.6


def test_another_task_is_refused(task, float_model, quarter):
    other = dataclasses.replace(task, labels=("a", "b", "c"))
    with pytest.raises(DataError, match="has the classes a, b, c, but the model was trained on falling"):
        compress(other, float_model, quarter, BRIEF)
    with pytest.raises(DataError, match="has the classes a, b, c, but the model was trained on falling"):
        compress_to(other, float_model, Requirement(90.0, 1), volume, BRIEF, HOW)


def test_more_lanes_than_rows_are_refused(task, float_model):
    with pytest.raises(ConfigError, match="lanes must be at most 64 for 16 hidden units, not 128"):
        compress(task, float_model, uniform_spec(float_model.network, 0.5, lanes=128), BRIEF)


def volume(bundle):
    """The bits of the smallest image."""
    sizes = []
    for mode in ("dense", "sparse"):
        config = smallest_config([(bundle, mode)], lanes=HOW.lanes)
        sent = "last" if bundle.head is None else "none"
        compiled = compile_bundle(bundle, config, mode=mode, hidden_results=sent)
        sizes.append(sum(compiled.image.stored_bits(config).values()))
    return min(sizes)


def test_a_volume_that_8_bits_meet_costs_nothing_more(task, float_model):
    settings = dataclasses.replace(BRIEF, prune_epochs=2, quantise_epochs=1)
    whole = compress_to(task, float_model, Requirement(50.0, 10**9), volume, settings, HOW)
    assert [each.stage for each in whole.rounds] == ["retrain", "integers"]
    assert whole.bundle.layers[0].hidden_size == 16
    found = compress_to(task, float_model, Requirement(50.0, whole.volume - 1), volume, settings, HOW)
    assert found.met
    assert [each.stage for each in found.rounds] == ["simplify", "retrain", "integers"]
    assert {stage.matrix.format.bits for stage in found.bundle.matrices.values()} == {8}
    smaller = compress_to(task, float_model, Requirement(50.0, 1), volume, settings, HOW)
    assert smaller.volume < found.volume < whole.volume


def test_the_simplified_float_model_can_be_searched(task, float_model):
    settings = dataclasses.replace(BRIEF, prune_epochs=2, quantise_epochs=1)
    how = dataclasses.replace(HOW, units=("hidden",))
    found = compress_to(task, float_model, Requirement(50.0, 5000), volume, settings, how)
    left = found.simplified.network.layers[0].hidden_size
    assert left == found.bundle.layers[0].hidden_size < 16
    assert found.simplified.score(task.validation, task.metric) >= 50
    space = SearchSpace.of(found.simplified.network, "matrix", lanes=8)
    assert space.shapes["layer0.recurrent"] == (4 * left, left)
    supernet = SuperNetwork.of(found.simplified)
    assert supernet.subnetwork(space.spec(space.smallest)).layers[0].hidden_size == left


def test_a_score_and_a_volume_are_met_and_each_round_is_told(task, float_model):
    found = compress_to(task, float_model, Requirement(85.0, 8000), volume, BRIEF, HOW)
    assert (found.met, found.reason) == (True, "")
    assert found.volume == volume(found.bundle) <= 8000
    notes = found.bundle.notes
    assert evaluate(found.bundle, task.validation, task.metric) == notes["scores"]["validation"] >= 85
    assert json.loads(json.dumps(notes)) == notes
    assert notes["rounds"] == [dataclasses.asdict(each) for each in found.rounds]
    stages = [each.stage for each in found.rounds]
    assert stages == sorted(stages, key=("simplify", "retrain", "integers", "quantise").index)
    assert {"simplify", "retrain", "integers"} <= set(stages)


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        (Requirement(101.0, 10**9), "the best score found is"),
        (Requirement(101.0, 1), "the best score found is"),
        (Requirement(50.0, 1), "no narrower weights keep the score"),
    ],
)
def test_what_cannot_be_met_gives_the_best_model_and_the_reason(task, float_model, requirement, reason):
    settings = dataclasses.replace(BRIEF, prune_epochs=2, quantise_epochs=1)
    how = dataclasses.replace(HOW, units=("hidden",), scheme="incremental")
    found = compress_to(task, float_model, requirement, volume, settings, how)
    assert not found.met
    assert found.reason.startswith(reason)
    assert found.bundle.notes["reason"] == found.reason
    assert found.bundle.notes["scores"]["validation"] >= 50


@pytest.mark.parametrize(
    ("shape", "metric", "score"),
    [
        ({"layers": 2, "projection": 4, "classes": 2}, "mse", 0.02),
        ({"classes": 1, "hidden": 16}, "r2", 0.5),
        ({"head": False, "layers": 2, "hidden": 16}, "snr", 12.0),
        ({"classes": 5, "hidden": 16}, "agreement", 80.0),
    ],
)
def test_any_model_is_simplified_by_the_metric_of_its_task(network_of, shape, metric, score):
    model = raw_model(network_of(**shape))
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(12, 3)).astype(np.float32) for _ in range(48)]
    parts = [Split(sequences[:32]), Split(sequences[32:40]), Split(sequences[40:])]
    data = Task("samples", (), *parts, metric=BY_MODEL, taught=True)
    if metric in ("mse", "r2"):
        parts = [Split(part.sequences, model.results(part.sequences)) for part in parts]
        labels = tuple(f"y{k}" for k in range(shape["classes"]))
        data = Task("values", labels, *parts, metric=METRICS[metric])
    settings = dataclasses.replace(BRIEF, prune_epochs=4, quantise_epochs=2, distillation=0.5)
    found = compress_to(data, model, Requirement(score, 1), volume, settings, HOW)
    notes, unit = found.bundle.notes, METRICS[metric].unit
    assert (notes["metric"], notes["unit"]) == (metric, unit)
    assert all(
        METRICS[metric].meets(each.score, score) == each.passed for each in found.rounds[:-1] if each.passed
    )
    assert METRICS[metric].meets(notes["scores"]["validation"], score)
    assert any(each.stage == "quantise" and each.passed for each in found.rounds)
    assert found.bundle.labels == (() if "head" in shape else data.labels or model.labels)
    told = [row for row in found.rows("small") if row.name in ("round_score", "score")]
    assert len(told) == len(found.rounds) + 2
    better = "less" if metric == "mse" else "more"
    assert {(row.unit, row.parameters["metric"], row.parameters["better"]) for row in told} == {
        (unit, metric, better)
    }


def test_rows_tell_of_a_requirement(task, float_model):
    settings = dataclasses.replace(BRIEF, prune_epochs=2, quantise_epochs=1)
    how = dataclasses.replace(HOW, units=("hidden",))
    found = compress_to(task, float_model, Requirement(101.0, 1), volume, settings, how)
    rows = {row.name: row for row in found.rows("small")}
    assert (rows["stored_bits"].value, rows["requirement_met"].value) == (found.volume, 0)
    asked = rows["requirement_met"].parameters
    assert (asked["score"], asked["volume"], asked["metric"]) == (101.0, 1, "accuracy")
    assert asked["reason"] == found.reason
    assert rows["round_score"].parameters["stage"] == "integers"
    assert {"rank", "bits", "weight_density"} <= set(rows)


def test_training_that_only_harms_is_undone_and_told(task, float_model):
    spec = uniform_spec(float_model.network, lanes=16)
    wild = dataclasses.replace(BRIEF, quantise_epochs=1, quantise_rate=1.0)
    quiet = dataclasses.replace(float_model, settings=dataclasses.replace(float_model.settings, clip=1e6))
    found = quantise_model(quiet, task, spec, wild)
    calibrated = quantise_model(quiet, task, spec, dataclasses.replace(wild, quantise_epochs=0))
    before, after = found.bundle.notes["calibrated"]
    assert after < before == calibrated.bundle.notes["scores"]["validation"]
    assert found.bundle.notes["scores"] == calibrated.bundle.notes["scores"]
    assert np.array_equal(
        found.bundle.layers[0].recurrent.values, calibrated.bundle.layers[0].recurrent.values
    )
    assert f"from {before:.4g} to {after:.4g} percent" in found.warnings[-1]
    assert "smaller quantise_rate than 1" in found.warnings[-1]
    assert not calibrated.warnings
    assert "calibrated" not in calibrated.bundle.notes


def test_numbered_outputs_take_the_names_of_the_task(task, float_model):
    numbered = dataclasses.replace(float_model, labels=("0", "1", "2"))
    settings = dataclasses.replace(BRIEF, quantise_epochs=0)
    made = compress(task, numbered, uniform_spec(float_model.network, lanes=16), settings)
    assert made.labels == task.labels


def test_data_need_not_hold_every_class_that_the_model_knows(task, float_model, network_of):
    five = dataclasses.replace(raw_model(network_of(inputs=2, classes=5)), labels=tuple("abcde"))
    labels = ("b", "c", "e")
    renamed, model = suited(dataclasses.replace(task, labels=labels), five)
    assert renamed.labels == model.labels == tuple("abcde")
    for name in ("train", "validation", "test"):
        before, after = getattr(task, name).targets, getattr(renamed, name).targets
        assert np.array_equal(after, np.array([1, 2, 4])[before])
    short = [np.zeros((3, 2), np.float32)] * 6
    steps = task_from({"X": short, "y": [np.array([0, IGNORED, 2])] * 6, "labels": labels})
    assert suited(steps, five)[0].test.targets[0].tolist() == [1, IGNORED, 4]
    turned = dataclasses.replace(task, labels=("e", "a", "c"))
    assert suited(turned, dataclasses.replace(float_model, labels=("a", "c", "e")))[0].labels == (
        "a",
        "c",
        "e",
    )


def test_a_task_of_other_features_or_outputs_is_refused(task, float_model, network_of):
    spec = uniform_spec(float_model.network, lanes=16)
    other = raw_model(network_of(inputs=5, classes=3))
    with pytest.raises(DataError, match="ramps has 2 features, but the model takes 5"):
        compress(task, other, spec, BRIEF)
    other = raw_model(network_of(inputs=2, classes=4))
    with pytest.raises(DataError, match="ramps has 3 classes, but the model has 4 outputs"):
        compress(task, other, spec, BRIEF)


def test_a_volume_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="volume must be a positive number of bits, not 0"):
        Requirement(90.0, 0)


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ConfigError, match="score must be a finite number, not nan"):
        Requirement(float("nan"), 1)


@pytest.mark.parametrize("kind", ["factors", "fewer units", "another start"])
def test_what_is_not_the_float_model_is_fine_tuned_though_no_weight_is_pruned(task, float_model, kind):
    said = []
    settings = dataclasses.replace(BRIEF, prune_epochs=2, quantise_epochs=0)
    network, start = float_model.network, None
    spec = uniform_spec(network, lanes=8, rank=6 if kind == "factors" else None)
    if kind == "fewer units":
        spec = dataclasses.replace(spec, hidden={"layer0": 8})
    if kind == "another start":
        start = copy.deepcopy(network)
    compress(task, float_model, spec, settings, lambda what, *_: said.append(what), start=start)
    assert said == ["fine-tune"] * 2


def test_all_hidden_units_are_the_float_model(task, float_model):
    said = []
    spec = dataclasses.replace(uniform_spec(float_model.network, lanes=16), hidden={"layer0": 16})
    compress(task, float_model, spec, BRIEF, lambda what, *_: said.append(what))
    assert set(said) == {"quantise"}


def test_names_of_outputs_are_the_tasks_where_the_models_are_numbers(task, network_of):
    model = raw_model(network_of(inputs=2, classes=3))
    same, named = suited(task, model)
    assert (same, named.labels) == (task, task.labels)
    assert suited(task, named)[1] is named
    # Values have no order that a name could tell.
    parts = [Split(part.sequences, model.results(part.sequences)) for part in (task.train, task.validation)]
    values = Task("values", ("a", "b", "c"), parts[0], *parts[1:] * 2, metric=METRICS["mse"])
    other = dataclasses.replace(model, labels=("x", "y", "z"))
    assert suited(values, other)[1].labels == ("a", "b", "c")
    bare = Task("samples", (), **samples(task), metric=BY_MODEL, taught=True)
    assert suited(bare, other)[1] is other


def samples(task):
    return {name: Split(getattr(task, name).sequences) for name in ("train", "validation", "test")}


def test_a_metric_that_cannot_fail_is_refused(task, network_of):
    bare = Task("samples", (), **samples(task), metric=METRICS["agreement"], taught=True)
    with pytest.raises(ConfigError, match="agreement needs at least 2 outputs"):
        suited(bare, raw_model(network_of(inputs=2, classes=1)))


def test_the_number_of_values_is_told(task, network_of):
    parts = [
        Split(part.sequences, np.zeros((len(part), 3))) for part in (task.train, task.validation, task.test)
    ]
    values = Task("values", ("a", "b", "c"), *parts, metric=METRICS["mse"])
    with pytest.raises(DataError, match="values has 3 values, but the model has 4 outputs"):
        suited(values, raw_model(network_of(inputs=2, classes=4)))


@pytest.fixture
def staged(task, float_model, monkeypatch):
    """Run `compress_to` with scripted stages; gives the outcome, and the network that was quantised."""

    def run(retrained, score, required, reason, measured=lambda bundle: 7, **scale):
        seen = {}

        def simplify(task, dense, requirement, eight_bits, settings, how, progress):
            seen["volume"] = eight_bits(dense.network)
            return dense.network, []

        def retrain(task, dense, network, settings, epochs, what, progress):
            seen["retrained"] = (network, epochs)
            return dense.score(task.validation, task.metric) + retrained

        def quantise_to(task, dense, network, requirement, volume, settings, how, progress):
            seen["network"] = network
            spec = uniform_spec(network, lanes=8)
            inputs = dense.standardise(task.train.sequences)
            bundle = calibrate(network, inputs, spec).bundle(dense.mean, dense.deviation, dense.labels)
            return Quantised(network, spec, bundle, score, 40), [], reason

        for stage in (simplify, retrain, quantise_to):
            monkeypatch.setattr(f"gatewright.sw.compress.{stage.__name__}", stage)
        return compress_to(
            task, float_model, Requirement(required, 50), measured, BRIEF, how=HOW, **scale
        ), seen

    return run


@pytest.mark.parametrize(("retrained", "better"), [(0.0, True), (-1.0, False)])
def test_retraining_that_loses_is_taken_back(staged, float_model, retrained, better):
    outcome, seen = staged(retrained, 90.0, 80.0, "")
    network, epochs = seen["retrained"]
    assert epochs == BRIEF.prune_epochs
    assert network is not float_model.network
    assert (seen["network"] is network) == better
    (told,) = outcome.rounds
    count = sum(int(matrix.count_nonzero()) for matrix in float_model.network.matrices().values())
    assert dataclasses.astuple(told)[:5] == ("retrain", "all weights", 0.0, 0, count)
    assert (told.volume, told.passed) == (None, better)
    assert (outcome.met, outcome.volume, seen["volume"]) == (True, 40, 7)


@pytest.mark.parametrize(
    ("score", "reason", "told"),
    [(80.0, "", ""), (79.0, "", "the best score found is 79 percent"), (80.0, "too large", "too large")],
)
def test_an_outcome_is_met_or_says_why_not(staged, score, reason, told):
    outcome, _ = staged(0.0, score, 80.0, reason)
    assert (outcome.met, outcome.reason) == (not told, told)


def test_what_no_accelerator_can_hold_has_no_volume(staged):
    def measured(bundle):
        raise CapacityError("too large")

    assert staged(0.0, 90.0, 80.0, "", measured)[1]["volume"] is None


def test_a_density_is_that_of_the_layers_weights(task, float_model):
    network = copy.deepcopy(float_model.network)
    with torch.no_grad():
        network.head.factors[0][:] = 0
        network.layers[0].recurrent.factors[0][:, :4] = 0
    settings = dataclasses.replace(BRIEF, quantise_epochs=0)
    made = compress(task, float_model, uniform_spec(network, lanes=16), settings, start=network)
    assert made.notes["density"] == pytest.approx((64 * 2 + 64 * 12) / (64 * 18))
    assert (made.notes["every_step"], made.notes["more_is_better"]) == (False, True)


@pytest.mark.parametrize(
    ("scale", "scaled"), [({}, True), ({"scale": True}, True), ({"scale": False}, False)]
)
def test_features_are_brought_to_one_scale_unless_that_is_forbidden(
    staged, float_model, monkeypatch, scale, scaled
):
    other = dataclasses.replace(float_model, notes={"scaled": True})
    monkeypatch.setattr("gatewright.sw.compress.scaled_where_it_pays", lambda model, sequences: other)
    outcome, _ = staged(0.0, 90.0, 80.0, "", **scale)
    assert (outcome.bundle.notes["from"] == other.notes) == scaled
