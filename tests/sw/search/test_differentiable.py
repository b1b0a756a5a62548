import copy
import dataclasses

import numpy as np
import pytest
import torch

from gatewright.errors import ConfigError
from gatewright.results import Rows
from gatewright.sw.compress import CompressSettings, compress
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import evaluate
from gatewright.sw.metrics import METRICS
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search import differentiable as room
from gatewright.sw.search.differentiable import discretisation_rows, entropy_search, starts
from gatewright.sw.search.mixed import MixedNetwork
from gatewright.sw.search.settings import EntropySettings
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.settings import TrainSettings
from gatewright.sw.spec import ProductSpec
from gatewright.sw.tasks import for_model, task_from

QUICK = EntropySettings(epochs=4, alpha_rate=0.1, beta_rate=0.1)


@pytest.fixture(scope="module")
def space(float_model):
    return SearchSpace.of(float_model.network, "matrix", ranks=(4, None), densities=(0.5, 1.0), lanes=8)


@pytest.fixture(scope="module")
def base(space):
    return space.largest | {"layer0.recurrent.rank": 4}


def test_a_search_gives_a_candidate_of_the_space_and_the_cost_of_discretising(task, float_model, space, base):
    before = copy.deepcopy(float_model.network.state_dict())
    found = entropy_search(task, float_model, space, base, QUICK)
    assert found.spec == space.spec(found.candidate)
    rank = found.spec.products["layer0.recurrent"].rank
    assert found.network.layers[0].recurrent.rank == rank == found.candidate["layer0.recurrent.rank"]
    assert found.network.layers[0].input.rank is None
    assert set(found.baselines) == {"singular values", "rescaled components"}
    assert found.loss == pytest.approx(found.super_score - found.discretised_score)
    assert len(found.history) == 4
    assert found.history[-1].score == found.super_score
    for name, value in float_model.network.state_dict().items():
        assert torch.equal(value, before[name])
    again = entropy_search(task, float_model, space, base, QUICK)
    assert again.candidate == found.candidate
    assert again.history == found.history
    settings = CompressSettings(prune_epochs=2, quantise_epochs=1)
    bundle = compress(task, float_model, found.spec, settings, start=found.network)
    assert evaluate(bundle, task.validation, task.metric) > 80


def test_in_bits_fewer_are_better(task, float_model, space, base):
    found = entropy_search(dataclasses.replace(task, metric=METRICS["bits"]), float_model, space, base, QUICK)
    assert found.loss == pytest.approx(found.discretised_score - found.super_score)


def test_entropy_losses_decide_and_nothing_else_does(task, float_model, space, base):
    settings = dataclasses.replace(QUICK, epochs=12, weight=0.3)
    with_losses, without = (
        entropy_search(task, float_model, space, base, dataclasses.replace(settings, entropy=losses))
        for losses in (True, False)
    )
    assert with_losses.history[-1].operations < 0.2 < 0.5 < without.history[-1].operations
    assert with_losses.history[-1].edges < without.history[-1].edges - 0.2
    assert abs(with_losses.loss) <= 3.0


def test_components_never_weigh_more_than_one(task, float_model, space, base, monkeypatch):
    made = []

    def spy(*parts):
        made.append(MixedNetwork(*parts))
        return made[-1]

    monkeypatch.setattr(room, "MixedNetwork", spy)
    entropy_search(task, float_model, space, base, dataclasses.replace(QUICK, entropy=False))
    assert max(float(beta.detach().max()) for beta in made[0].betas.values()) == 1.0


def test_widths_wait_for_the_delay_and_components_do_not(task, float_model, space, base):
    settings = dataclasses.replace(QUICK, epochs=6, delay=0.5)
    history = entropy_search(task, float_model, space, base, settings).history
    start = history[0].operations
    assert [epoch.operations == start for epoch in history] == [True, True, False, False, False, False]
    assert history[0].edges != history[1].edges


def test_expected_cycles_make_models_small(task, float_model):
    space = SearchSpace.of(float_model.network, "matrix", ranks=(2, 8, None), densities=(0.5, 1.0), lanes=8)
    base = space.largest | {"layer0.recurrent.rank": 8}
    asked = []

    def cycles(candidate):
        asked.append(candidate)
        assert space.spec(candidate)
        spec = space.spec(candidate)
        return 1.0 + sum(
            each.bits * each.density * (rows * columns if each.rank is None else each.rank * (rows + columns))
            for each, (rows, columns) in zip(spec.products.values(), space.shapes.values(), strict=True)
        )

    settings = dataclasses.replace(QUICK, epochs=12, cycles_weight=20.0)
    found = entropy_search(task, float_model, space, base, settings, cycles=cycles)
    assert found.spec.products["layer0.recurrent"] == ProductSpec(2, 2, 0.5)
    assert asked[0] == base
    assert len({tuple(each.items()) for each in asked}) == len(asked)
    free = entropy_search(task, float_model, space, base, settings)
    assert cycles(found.candidate) < cycles(free.candidate)


def test_a_space_without_factors_or_widths_has_nothing_to_lose(task, float_model, space):
    fixed = {
        name: (8 if name.endswith(".bits") else 1.0,) for name in space.choices if not name.endswith(".rank")
    }
    fixed = space.fixed({name: value for name, (value,) in fixed.items()})
    found = entropy_search(task, float_model, fixed, fixed.largest, QUICK)
    assert found.candidate == fixed.largest
    assert all(epoch.operations == epoch.edges == 0 for epoch in found.history)


def test_rows_have_every_setting(task, float_model):
    rows = Rows(discretisation_rows(task, float_model, QUICK, [2, 4], [3]))
    losses = rows.where("discretisation_loss")
    assert [row.parameters for row in losses] == [
        {"entropy": entropy, "kept": kept, "components": 16} for kept in (2, 4) for entropy in (False, True)
    ]
    for row in losses:
        scores = [rows.figure(name, **row.parameters) for name in ("super_score", "discretised_score")]
        assert row.value == pytest.approx(scores[0] - scores[1])
        assert (row.unit, row.seed) == ("points", 3)
        at = row.parameters
        assert {each.parameters["how"] for each in rows.where("baseline_loss", **at)} == {
            "singular values",
            "rescaled components",
        }
    progress = rows.where("entropy_progress")
    assert len(progress) == 4 * 4 * 3
    assert set(progress.distinct("what")) == {"operations", "edges", "score"}
    assert set(progress.distinct("epoch")) == {1, 2, 3, 4}
    with pytest.raises(ConfigError, match="16 components save no weights"):
        discretisation_rows(task, float_model, QUICK, [16], [0])


def untrained(outputs, labels, *, layers=1, head=True):
    with seeded(4):
        network = LstmNetwork.initial(2, 8, outputs, layers=layers)
    if not head:
        network = LstmNetwork(list(network.layers))
    settings = TrainSettings(hidden=8, batch=16, noise=0.0, offset=0.0, dropout=0.0)
    return FloatModel(network.eval(), np.zeros(2), np.ones(2), labels if head else (), settings)


SEQUENCES = np.random.default_rng(1).normal(size=(30, 8, 2)).astype(np.float32)


@pytest.mark.parametrize(
    "arrays",
    [
        {"y": np.cumsum(SEQUENCES[:, :, :1], axis=1)},
        {"y": SEQUENCES.sum(axis=(1, 2))},
        {"y": (np.cumsum(SEQUENCES[:, :, 0], axis=1) > 0).astype(np.int64)},
    ],
    ids=["values of steps", "values of sequences", "classes of steps"],
)
def test_any_targets_are_searched(arrays):
    task = task_from({"X": SEQUENCES} | arrays)
    model = untrained(task.output_size, task.labels, layers=2)
    space = SearchSpace.of(model.network, ranks=(2, None), densities=(1.0,), lanes=8)
    found = entropy_search(task, model, space, *starts(space, QUICK, 0, 0))
    assert found.spec == space.spec(found.candidate)
    quality = task.metric.quality
    assert found.loss == pytest.approx(quality(found.super_score) - quality(found.discretised_score))


@pytest.mark.parametrize("head", [True, False])
def test_without_targets_the_model_teaches(head):
    model = untrained(3, ("a", "b", "c"), head=head)
    task = for_model(task_from({"X": SEQUENCES}), model)
    space = SearchSpace.of(model.network, ranks=(2, None), densities=(1.0,), lanes=8)
    found = entropy_search(task, model, space, *starts(space, QUICK, 0, 0))
    assert task.metric.name == ("agreement" if head else "snr")
    assert found.super_score == found.history[-1].score


def test_fewer_units_are_cut_before_the_search(task, float_model):
    space = SearchSpace.of(float_model.network, ranks=(2, None), densities=(1.0,), lanes=8)
    space = space.changed({"hidden": (8, 16)})
    base = space.largest | {"layer0.hidden": 8}
    found = entropy_search(task, float_model, space, base, QUICK)
    assert found.network.layers[0].hidden_size == 8
    assert found.candidate["layer0.hidden"] == 8


def test_searches_begin_with_all_ranks_from_the_middle_then_with_other_choices(float_model):
    space = SearchSpace.of(float_model.network, ranks=(1, 2, 4, None), densities=(0.25, 0.5, 1.0), lanes=8)
    begun = [starts(space, QUICK, 3, number) for number in range(6)]
    assert [base["network.rank"] for base, _ in begun] == [2, 1, 4, 2, 1, 4]
    assert all(base["layer0.density"] == 1.0 for base, _ in begun[:3])
    assert len({settings.seed for _, settings in begun}) == 6
    assert begun == [starts(space, QUICK, 3, number) for number in range(6)]
    assert starts(space, QUICK, 4, 0)[1].seed != begun[0][1].seed
    assert all(settings.epochs == QUICK.epochs for _, settings in begun)
    assert {settings.cycles_weight for _, settings in begun[:3]} == {QUICK.cycles_weight}
    later = {settings.cycles_weight for _, settings in begun[3:]}
    assert len(later) == 3
    assert all(QUICK.cycles_weight / 4 <= weight <= 4 * QUICK.cycles_weight for weight in later)
