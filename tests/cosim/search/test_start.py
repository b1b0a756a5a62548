import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import studies

from gatewright.cosim.search import aims, asked
from gatewright.cosim.search import start as module
from gatewright.cosim.search.folder import TASK, StudyFolder
from gatewright.cosim.search.records import Records
from gatewright.cosim.search.settings import Limits, SearchSettings
from gatewright.cosim.search.start import Scope, search
from gatewright.cosim.search.study import INTERRUPTED, run_study
from gatewright.errors import ConfigError, RunFolderError
from gatewright.results import read_rows
from gatewright.sw.bundle import Bundle
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.settings import EntropySettings
from gatewright.sw.settings import CompressSettings, TrainSettings
from gatewright.sw.tasks import DataSettings, load_task, task_from

QUICK = CompressSettings(prune_epochs=2, quantise_epochs=1)
SCOPE = Scope(choices={"rank": (1, 2, None), "density": (0.25, 0.5, 1.0)}, lanes=studies.LANES)


@pytest.fixture
def data(tmp_path):
    studies.write_task(tmp_path / "ramps.npz")
    return DataSettings(str(tmp_path / "ramps.npz"))


@pytest.fixture
def quick(monkeypatch):
    """Trials by formula, and no final front."""
    monkeypatch.setattr(module, "run_study", partial(run_study, evaluate=studies.Formula()))
    monkeypatch.setattr(module, "finish", lambda *_, **__: [])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The data and the folder of a study without trials."""
    folder = tmp_path_factory.mktemp("made")
    studies.write_task(folder / "ramps.npz")
    data = DataSettings(str(folder / "ramps.npz"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "run_study", lambda *_, **__: module.Outcome(INTERRUPTED, 0, None))
        search(folder / "study", studies.model(), data, SearchSettings(trials=2), SCOPE, QUICK)
    return data, folder / "study"


def finished(root):
    folder = StudyFolder.open(root)
    return Records(folder, folder.plan).finished()


def test_studies_are_made_gone_on_with_and_extended(quick, data, tmp_path):
    settings = SearchSettings(trials=6, rounds=2, recordings=2)
    root = tmp_path / "study"
    found = search(root, studies.model(), data, settings, SCOPE, QUICK, command="gatewright search")
    assert found.outcome.trials == 6
    assert not found.interrupted
    plan = StudyFolder.open(root).plan
    assert (plan.command, plan.name, plan.tune) == ("gatewright search", "gatewright-study", QUICK)
    first = finished(root)
    assert search(root, studies.model(), data, settings, SCOPE, QUICK).outcome == found.outcome
    more = replace(settings, trials=9)
    assert search(root, studies.model(), data, more, SCOPE, QUICK).outcome.trials == 9
    assert finished(root)[:6] == first
    assert [each.round for each in finished(root)] == [0] * 3 + [1] * 3 + [2] * 3
    # The command that made the study goes on with it as it is.
    assert search(root, studies.model(), data, settings, SCOPE, QUICK).outcome.trials == 9
    with pytest.raises(ConfigError, match="has 9 trials: it can be extended to more, but not to 7"):
        search(root, studies.model(), data, replace(settings, trials=7), SCOPE, QUICK)


def test_what_shares_weights_learns_as_candidates_do_and_the_study_goes_on(quick, data, tmp_path):
    tune, settings = replace(QUICK, prune_rate=1.6e-2, distillation=0.0), SearchSettings(trials=2)
    search(tmp_path / "study", studies.model(), data, settings, SCOPE, tune)
    plan = StudyFolder.open(tmp_path / "study").plan
    assert (plan.sandwich.learning_rate, plan.sandwich.distillation) == (1.6e-2, 0.0)
    assert plan.gradient.learning_rate == 8e-3
    assert search(tmp_path / "study", studies.model(), data, settings, SCOPE, tune).outcome.trials == 2


def test_a_study_goes_on_with_the_gradient_search_that_it_has(quick, data, tmp_path):
    root, settings, gradient = tmp_path / "study", SearchSettings(trials=2), EntropySettings(epochs=5)
    made = search(root, studies.model(), data, settings, SCOPE, QUICK, gradient=gradient)
    assert StudyFolder.open(root).plan.gradient == gradient
    assert search(root, studies.model(), data, settings, SCOPE, QUICK).outcome == made.outcome
    assert StudyFolder.open(root).plan.gradient == gradient


def test_an_interrupted_search_says_so(data, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        return module.Outcome(INTERRUPTED, 0, None)

    monkeypatch.setattr(module, "run_study", interrupt)
    found = search(tmp_path / "study", studies.model(), data, SearchSettings(trials=2), SCOPE, QUICK)
    assert found.interrupted
    assert (found.recommendation, found.points) == (None, {})


def test_a_target_that_is_left_out_is_an_aim_of_the_search(quick, data, tmp_path):
    search(
        tmp_path / "study", studies.model(), data, SearchSettings(trials=2, target_bits=777.0), SCOPE, QUICK
    )
    plan = StudyFolder.open(tmp_path / "study").plan
    assert plan.assumed == ("cycles",)
    task = load_task(data)
    _, whole = aims.uncompressed(task, studies.model(), plan)
    assert plan.search.target_cycles == aims.aims(task, studies.model(), plan, whole)[0]
    assert plan.search.target_bits == 777.0
    assert whole.stored_bits > 777


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {"seed": 1}}, "with other settings"),
        ({"settings": {"limits": Limits(cycles=99)}}, "with other settings"),
        ({"scope": {"choices": {"rank": (1, None)}}}, "with other settings"),
        ({"scope": {"device": "ecp5-85k"}}, "with other settings"),
        ({"gradient": EntropySettings(epochs=5)}, "with other settings"),
        ({"data": {"seed": 1}}, "with other settings"),
        ({"tune": CompressSettings()}, "trained otherwise"),
        ({"model": 0.5}, "of another model"),
    ],
)
def test_other_studies_are_refused(change, message, made, tmp_path):
    data, root = made
    model, settings = studies.model(), SearchSettings(trials=2)
    if "model" in change:
        model.network.layers[0].bias.data[0] = change["model"]
    with pytest.raises(RunFolderError, match=message):
        search(
            root,
            model,
            replace(data, **change.get("data", {})),
            replace(settings, **change.get("settings", {})),
            replace(SCOPE, **change.get("scope", {})),
            change.get("tune", QUICK),
            gradient=change.get("gradient"),
        )


def test_data_in_memory_are_kept_and_compared(quick, data, tmp_path):
    task, other = (replace(load_task(replace(data, seed=seed)), source=None) for seed in (0, 1))
    root = tmp_path / "study"
    search(root, studies.model(), task, SearchSettings(trials=2), SCOPE, QUICK)
    assert StudyFolder.open(root).plan.data.source == TASK
    search(root, studies.model(), task, SearchSettings(trials=3), SCOPE, QUICK)
    with pytest.raises(RunFolderError, match="of other data"):
        search(root, studies.model(), other, SearchSettings(trials=3), SCOPE, QUICK)


def test_a_task_that_was_loaded_is_loaded_again(quick, data, tmp_path):
    search(tmp_path / "study", studies.model(), load_task(data), SearchSettings(trials=2), SCOPE, QUICK)
    folder = StudyFolder.open(tmp_path / "study")
    assert folder.plan.data == data
    assert not (folder.root / TASK).exists()


def test_known_candidates_must_be_of_the_space(quick, data, tmp_path):
    settings = SearchSettings(trials=3, known=({"network.rank": 7},))
    with pytest.raises(ConfigError, match=r"network\.rank must be one of \(1, 2, None\), not 7"):
        search(tmp_path / "study", studies.model(), data, settings, SCOPE, QUICK)
    assert not (tmp_path / "study").exists()


def test_hardware_that_is_too_large_is_refused_before_anything_is_made(data, tmp_path):
    for settings, scope in (
        (SearchSettings(limits=Limits(multipliers=3)), SCOPE),
        (SearchSettings(), replace(SCOPE, device="ice40-up5k")),
    ):
        with pytest.raises(ConfigError, match="holds every candidate: use fewer lanes"):
            search(tmp_path / "study", studies.model(), data, settings, scope, QUICK)
    assert not (tmp_path / "study").exists()
    with pytest.raises(ConfigError, match="ecp6"):
        Scope(device="ecp6")


def test_on_a_device_lanes_and_cell_lanes_are_searched_unless_they_are_settled(quick, data, tmp_path):
    settings, root = SearchSettings(trials=2, rounds=1), tmp_path / "study"
    scope = replace(SCOPE, lanes=None, device="ecp5-85k")
    search(root, studies.model(), data, settings, scope, QUICK)
    plan = StudyFolder.open(root).plan
    assert plan.config is None
    assert plan.space.choices["hardware.lanes"] == (16, 32)
    assert plan.space.choices["hardware.cell_lanes"] == (1, 2, 4, 8)
    assert plan.space.lanes == 32
    # The same command goes on with it.
    assert search(root, studies.model(), data, replace(settings, trials=3), scope, QUICK).outcome.trials == 3
    for number, settled in enumerate(
        (replace(scope, lanes=8), replace(scope, choices=scope.choices | {"lanes": (8, 16)}))
    ):
        root = tmp_path / f"settled{number}"
        search(root, studies.model(), data, settings, settled, QUICK)
        assert "hardware.cell_lanes" not in StudyFolder.open(root).plan.space.choices


def test_a_small_model_gets_no_more_lanes_than_rows(quick, data, tmp_path):
    with seeded(1):
        network = LstmNetwork.initial(2, 5, 3)
    model = replace(studies.model(), network=network.eval())
    search(tmp_path / "study", model, data, SearchSettings(trials=1, rounds=1), Scope(), QUICK)
    assert StudyFolder.open(tmp_path / "study").plan.space.lanes == 16


@pytest.mark.parametrize(
    ("sequences", "steps", "batch", "epochs", "gradient"),
    [
        (2100, 60, 64, 12, 24),
        (64, 60, 64, 360, 360),
        (64, 512 * 100, 64, 12, 24),
        (54_000, 28, 128, 9, 9),
        (64, 512 * 720, 64, 5, 5),
        (1, 512 * 7200, 64, 1, 4),
    ],
)
def test_searches_that_train_get_enough_updates_and_not_too_many(
    sequences, steps, batch, epochs, gradient, data
):
    task = load_task(data)
    x = [np.zeros((1, 2), dtype=np.float32)] * (sequences - 1) + [np.zeros((steps, 2), dtype=np.float32)]
    long = replace(task, train=replace(task.train, sequences=x, targets=np.zeros(sequences, dtype=np.int64)))
    model = replace(studies.model(), settings=TrainSettings(batch=batch))
    assert asked.epochs_of(long, model, 12) == epochs
    assert asked.gradient_of(long, model, QUICK) == replace(EntropySettings.of(QUICK), epochs=gradient)


def regression(seed=0, sequences=40):
    """Noisy signals, and what smooths them, in every step."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(sequences, 20, 2)).astype(np.float32)
    y = np.zeros((sequences, 20, 1), dtype=np.float32)
    for step in range(1, 20):
        y[:, step, 0] = 0.8 * y[:, step - 1, 0] + 0.2 * x[:, step, 0]
    return task_from({"X": x, "y": y}, name="smooth")


@pytest.mark.slow
def test_a_regression_in_every_step_by_two_layers_is_searched_and_proven(tmp_path):
    task = regression()
    with seeded(2):
        network = LstmNetwork.initial(2, 8, 1, layers=2)
    settings = TrainSettings(hidden=8, batch=8, noise=0.0, offset=0.0, dropout=0.0)
    model = FloatModel(network.eval(), np.zeros(2), np.ones(2), task.labels, settings)
    scope = Scope(choices={"rank": (2, None), "density": (0.5, 1.0), "hidden": (4, 8)}, lanes=8)
    settings = SearchSettings(trials=3, rounds=1, recordings=2, steps=12)
    root = tmp_path / "study"
    found = search(root, model, task, settings, scope, QUICK, points=2)
    assert found.outcome.trials == 3
    records = finished(root)
    assert all(each.found.cycles_measured == each.found.cycles_predicted > 0 for each in records)
    # One output in each of the first twelve steps of two sequences.
    assert all(each.found.integers_compared == 24 for each in records)
    assert all(each.found.quality == task.metric.quality(each.found.score) for each in records)
    rows = read_rows(StudyFolder.open(root).front)
    assert sum(row.value for row in rows if row.name == "point_mismatches") == 0
    best = found.recommendation
    assert best is not None
    assert (best.metric, best.unit) == (task.metric.name, task.metric.unit)
    bundle = Bundle.load(found.points["best"])
    assert best.validation == evaluate(bundle, task.validation, task.metric)
    assert best.hidden == tuple(layer.hidden_size for layer in bundle.layers)
    assert "gatewright build" in best.text
    before = {path.name: path.read_bytes() for path in StudyFolder(root).models.iterdir()}
    again = search(root, model, task, settings, scope, QUICK, points=2)
    assert again.recommendation == best
    assert {path.name: path.read_bytes() for path in StudyFolder(root).models.iterdir()} == before
    assert json.loads((root / "settings.json").read_text())["data"]["source"] == TASK
