import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import studies
import torch

from gatewright.cosim.golden import Golden
from gatewright.cosim.search import costs as costs_module
from gatewright.cosim.search import evaluate as module
from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.evaluate import Evaluator
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.folder import StudyFolder
from gatewright.cosim.search.records import Records
from gatewright.cosim.search.settings import Limits
from gatewright.errors import CapacityError, DivergenceError, ToolError
from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.skipping import Skip
from gatewright.results import read_rows
from gatewright.sw.compress.pruning import prune_at_once
from gatewright.sw.integer import evaluate
from gatewright.sw.mode import POLICY, ModePolicy
from gatewright.sw.models import FloatModel
from gatewright.sw.search.differentiable import entropy_search, starts
from gatewright.sw.search.settings import EntropySettings
from gatewright.sw.search.supernet import SuperNetwork, candidate_bundle, quick_bundle


@pytest.fixture(scope="module")
def records(study):
    return Records(study, study.plan).finished()


def make(plan, tmp_path, epochs=0, **given):
    """A study with its super network, without trials."""
    plan = replace(plan, sandwich=replace(plan.sandwich, epochs=epochs), **given)
    folder = StudyFolder.create(tmp_path / "study", plan, studies.model())
    evaluator = Evaluator(folder.root)
    evaluator.prepare(0, [], lambda *_: None)
    return folder, evaluator


@pytest.mark.slow
def test_every_trial_is_measured_and_as_predicted(study, records):
    assert len(records) == 5
    assert all(each.found.cycles_measured == each.found.cycles_predicted > 0 for each in records)
    measured = [row.value for row in read_rows(study.trials) if row.name == "trial_cycles_measured"]
    assert measured == [each.found.cycles_measured for each in records]
    # Two recordings of three logits.
    assert [each.found.integers_compared for each in records] == [6] * 5
    assert all(each.found.seconds > 0 for each in records if not each.copied)


def test_an_evaluation_is_that_of_the_model(study, records):
    plan, record = study.plan, records[0]
    task, dense = studies.task_of(plan), studies.model()
    sample = dense.standardise(task.train.sequences)
    supernet, spec = SuperNetwork.load(study.supernet(0)), plan.space.spec(record.candidate)
    bundle = candidate_bundle(task, dense, supernet, spec, sample, plan.tune)
    compiled = compile_bundle(bundle, plan.config, mode=POLICY)
    found = record.found
    assert found.score == found.quality == evaluate(bundle, task.validation, task.metric)
    assert found.stored_bits == sum(compiled.image.stored_bits(plan.config).values())
    assert found.macs == sum(
        stage.matrix.nonzeros for name, stage in bundle.matrices.items() if name != "head"
    )
    assert found.reward == found.quality


def test_each_round_has_a_super_network_of_its_own(study, records):
    assert {each.round for each in records} == {0, 1}
    first, second = (SuperNetwork.load(study.supernet(round)).network for round in (0, 1))
    assert any((a != b).any() for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not study.supernet(2).exists()


def test_evaluators_travel_to_workers(study, records):
    evaluator = pickle.loads(pickle.dumps(Evaluator(study.root)))
    again = evaluator(records[0].candidate, 0)
    assert replace(again, seconds=records[0].found.seconds) == records[0].found


def test_targets_and_fine_tuning_count(plan, tmp_path):
    search = replace(plan.search, measure=False, target_cycles=1.0, cycles_weight=1.0)
    _, evaluator = make(plan, tmp_path, search=search)
    found = evaluator(plan.space.largest, 0)
    assert found.cycles_measured is None
    assert found.cycles == found.cycles_predicted
    assert found.reward == pytest.approx(found.quality - (found.cycles - 1))
    (tmp_path / "tuned").mkdir()
    _, tuned = make(plan, tmp_path / "tuned", search=replace(search, tune_epochs=2))
    assert tuned(plan.space.largest, 0).macs != found.macs


def test_candidates_beyond_a_limit_are_infeasible_and_say_why(plan, tmp_path):
    def found(name, limits):
        search = replace(plan.search, measure=False, limits=limits)
        (tmp_path / name).mkdir()
        _, evaluator = make(plan, tmp_path / name, search=search)
        whole = plan.space.smallest | {"network.rank": None}
        return evaluator(whole, 0), evaluator(plan.space.largest, 0)

    small, large = found("free", Limits())
    between = (small.cycles + large.cycles) / 2, (small.stored_bits + large.stored_bits) / 2
    kept, refused = found("cycles", Limits(cycles=between[0]))
    assert replace(kept, seconds=small.seconds) == small
    assert refused == Infeasible(
        f"{large.cycles:,.6g} cycles per step, at most {between[0]:,.6g} are allowed"
    )
    kept, refused = found("bits", Limits(bits=between[1]))
    assert replace(kept, seconds=small.seconds) == small
    assert refused == Infeasible(
        f"{large.stored_bits:,.6g} stored bits, at most {between[1]:,.6g} are allowed"
    )


def test_limits_of_the_hardware(plan, tmp_path):
    space = studies.space(densities=(0.5,), hardware={"lanes": (4, 8)})
    needs = estimate_resources(AcceleratorConfig(lanes=4, cell_lanes=1, activation_depth=16))
    search = replace(plan.search, limits=Limits(multipliers=needs.multipliers))
    _, evaluator = make(plan, tmp_path, config=None, space=space, search=search)
    assert isinstance(evaluator(space.largest | {"hardware.lanes": 4}, 0), Evaluation)
    refused = evaluator(space.largest, 0)
    assert isinstance(refused, Infeasible)
    assert f"multipliers, at most {needs.multipliers} are allowed" in refused.reason


def test_widths_of_activations_bring_their_own_hardware(plan, tmp_path):
    space = studies.space().changed({"activation_bits": (8, 16), "columns": ("equal", "contribution")})
    _, evaluator = make(plan, tmp_path, config=None, space=space)
    narrow, wide = (
        evaluator(space.largest | {"network.activation_bits": bits, "layer0.density": 0.5}, 0)
        for bits in (8, 16)
    )
    assert isinstance(narrow, Evaluation)
    assert isinstance(wide, Evaluation)
    assert narrow.cycles_measured is None
    assert wide.stored_bits >= narrow.stored_bits


def test_what_the_gradient_chooses_is_evaluated_and_kept_with_its_weights(plan, tmp_path):
    gradient = EntropySettings(epochs=4)
    search = replace(plan.search, method="entropy", measure=False)
    folder, evaluator = make(plan, tmp_path, search=search, gradient=gradient)
    candidate, found = evaluator.by_gradient(0, 0)
    base, own = starts(plan.space, gradient, plan.search.seed, 0)
    task, dense = studies.task_of(plan), studies.model()
    result = entropy_search(
        task, dense, plan.space, base, own, cycles=lambda candidate: evaluator.cycles(candidate, 0)
    )
    assert candidate == result.candidate
    assert isinstance(found, Evaluation)
    assert evaluator.cycles(candidate, 0) == evaluator(candidate, 0).cycles
    network = prune_at_once(copy.deepcopy(result.network), result.spec)
    sample = dense.standardise(task.train.sequences)
    bundle = quick_bundle(task, dense, network, result.spec, sample, plan.tune)
    shared = module._shared(evaluator.folder)
    costs = Costs.of(bundle, plan.config, shared.recordings, task.validation.every_step)
    assert (found.stored_bits, found.cycles) == (costs.stored_bits, costs.cycles)
    assert found.score == evaluate(bundle, task.validation, task.metric)
    kept = FloatModel.load(folder.trained(candidate)).network
    for name, value in result.network.state_dict().items():
        assert torch.equal(kept.state_dict()[name], value)


def test_a_candidate_that_diverges_is_no_failure(plan, tmp_path, monkeypatch):
    def diverge(*_):
        raise DivergenceError("the loss is nan")

    monkeypatch.setattr(module, "quick_bundle", diverge)
    _, evaluator = make(plan, tmp_path, search=replace(plan.search, measure=False))
    assert evaluator(plan.space.largest, 0) == Infeasible("the loss is nan")


def test_wrong_predictions_fail(plan, tmp_path, monkeypatch):
    _, evaluator = make(plan, tmp_path)
    of = Costs.of

    def wrong(*given):
        costs = of(*given)
        costs.predictions[1].counters["matrix"] += 1
        return costs

    monkeypatch.setattr(module.Costs, "of", wrong)
    with pytest.raises(
        ToolError, match=r"of \{'network.rank': None.* differ: sequence 1: matrix is predicted"
    ):
        evaluator(plan.space.largest, 0)


def test_too_small_accelerators_are_named(plan, tmp_path):
    config = replace(plan.config, weight_depth=16)
    _, evaluator = make(plan, tmp_path, config=config, search=replace(plan.search, measure=False))
    with pytest.raises(CapacityError, match=r"too small for \{'network.rank': None.*weight_depth"):
        evaluator(plan.space.largest, 0)


def test_hardware_is_searched_within_a_device(plan, tmp_path, monkeypatch):
    space = studies.space(densities=(0.5,), hardware={"lanes": (4, 8, 16, 64), "cell_lanes": (1, 2)})
    _, evaluator = make(
        plan,
        tmp_path,
        config=None,
        space=space,
        device="ecp5-25k",
        search=replace(plan.search, tune_epochs=1),
    )
    trained = []
    bundle = module.quick_bundle
    monkeypatch.setattr(module, "quick_bundle", lambda *a, **k: trained.append(a[6]) or bundle(*a, **k))

    def found(lanes, cell_lanes):
        return evaluator(space.largest | {"hardware.lanes": lanes, "hardware.cell_lanes": cell_lanes}, 0)

    small, large = found(4, 1), found(8, 1)
    assert isinstance(small, Evaluation)
    assert isinstance(large, Evaluation)
    assert small.cycles_measured is large.cycles_measured is None
    assert small.cycles > large.cycles
    trained.clear()
    # More lanes than rows; more cell lanes than quads; more multipliers than there are.
    for lanes, cell_lanes, text in (
        (64, 1, "lanes must be at most 32"),
        (4, 2, "cell_lanes must be a power of two from 1 to 1"),
        (16, 2, "ecp5-25k is too small: it needs"),
    ):
        assert isinstance(refused := found(lanes, cell_lanes), Infeasible)
        assert text in refused.reason
    assert 1 not in trained


def test_spread_is_even_over_the_split(plan):
    split = studies.task_of(plan).validation
    chosen = spread(split, 3, 1000)
    assert [len(x) for x in chosen] == [
        len(split.sequences[k]) for k in (0, round((len(split) - 1) / 2), len(split) - 1)
    ]
    assert len(spread(split, 1000, 1000)) == len(split)
    assert [len(x) for x in spread(split, 3, 2)] == [2, 2, 2]


def test_zeros_are_skipped_as_the_policy_says(study, records, monkeypatch):
    plan = study.plan
    task, dense = studies.task_of(plan), studies.model()
    supernet = SuperNetwork.load(study.supernet(0))
    sample = dense.standardise(task.train.sequences)
    bundle = candidate_bundle(task, dense, supernet, plan.space.spec(plan.space.smallest), sample, plan.tune)
    recordings = [np.array([[0, 0], [1, 0], [0, 0]]), np.array([[0, 2], [0, 0]])]
    found = {}
    for threshold in (0.0, 1.0):
        monkeypatch.setattr(costs_module, "POLICY", ModePolicy("input", 0.5, threshold))
        found[threshold] = Costs.of(bundle, plan.config, recordings, False)
    skipping, plain = found.values()
    assert (skipping.measurement.skip, plain.measurement.skip) == (Skip.ALWAYS, Skip.NEVER)
    for x, prediction in zip(skipping.sequences, skipping.predictions, strict=True):
        flags = Golden(skipping.compiled).run(x, trace=True)[1].flags
        assert prediction.counters["skipped"] == (flags == 0).sum() > 0
    assert all(prediction.counters["skipped"] == 0 for prediction in plain.predictions)
