import tomllib

import pytest
from ramps import made_task

from gatewright.errors import ConfigError, RunFolderError
from gatewright.flow import uncertainty
from gatewright.flow.inputs import as_task
from gatewright.flow.quantise import quantise
from gatewright.flow.settings import CompressChoice, Shape, TrainChoice, WorkerSettings
from gatewright.flow.train import train
from gatewright.flow.tune import PRUNING, QUANTISING, TRAINING, read_candidates, tune
from gatewright.results import read_rows
from gatewright.sw.search.settings import Range, TuneSettings

QUICK = TrainChoice(hidden=8, epochs=6)
SHORT = CompressChoice(prune_epochs=2, quantise_epochs=1)
ALONE = WorkerSettings(1)
FEW = TuneSettings(trials=4, samples=2)


@pytest.fixture(scope="module")
def task():
    return made_task(0)


def test_the_values_found_train_to_the_score_that_is_told(task, tmp_path):
    found = tune(task, tmp_path / "tuned", choice=QUICK, settings=FEW, workers=ALONE)
    assert set(found.tuned.best.values) == set(TRAINING)
    again = train(task, found.choice)
    assert again.model.notes["scores"]["validation"] == found.tuned.chosen.score
    assert again.model.settings.clip == found.tuned.chosen.values["clip"]
    stored = tomllib.loads(found.config.read_text())["train"]
    assert stored["learning-rate"] == found.tuned.chosen.values["learning_rate"]
    assert (stored["hidden"], stored["epochs"], stored["seed"]) == (8, 6, 0)
    rows = read_rows(tmp_path / "tuned" / "trials.json")
    assert len(rows.all("tuning_seconds")) == 4
    assert set(rows.where("tuned_score").distinct("of")) == {"best trial", "separate optima"}
    assert set(rows.where("worth").distinct("parameter")) == set(TRAINING)


def test_quantising_is_tuned_with_its_schedule(task, tmp_path):
    model = train(task, QUICK).model
    shape = Shape(density=0.5, lanes=8)
    given = {"choice": SHORT, "shape": shape, "settings": FEW, "workers": ALONE}
    found = tune(task, tmp_path / "tuned", model, **given)
    assert set(found.tuned.best.values) == set(PRUNING) | set(QUANTISING)
    again = quantise(model, task, shape, found.choice)
    assert again.bundle.notes["scores"]["validation"] == found.tuned.chosen.score
    assert again.bundle.notes["settings"]["prune_power"] == found.tuned.chosen.values["prune_power"]
    assert again.bundle.notes["train_settings"]["dropout"] == found.tuned.chosen.values["dropout"]
    stored = tomllib.loads(found.config.read_text())["quantise"]
    assert (stored["density"], stored["lanes"], stored["prune-epochs"]) == (0.5, 8, 2)
    assert tune(task, tmp_path / "tuned", model, **given).tuned == found.tuned
    whole = tune(task, tmp_path / "whole", model, **given | {"shape": Shape(lanes=8)})
    assert set(whole.tuned.best.values) == set(QUANTISING)


def test_a_folder_of_something_else_is_left(task, tmp_path):
    given = {"choice": QUICK, "settings": TuneSettings(trials=1), "workers": ALONE}
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="exists and holds no tuning"):
        tune(task, tmp_path, **given)
    tune(task, tmp_path / "tuned", **given)
    other = given | {"choice": TrainChoice(hidden=4, epochs=2)}
    with pytest.raises(RunFolderError, match="the tuning of something else"):
        tune(task, tmp_path / "tuned", **other)
    assert tune(task, tmp_path / "tuned", **other, overwrite=True).choice.hidden == 4


def test_candidates_are_read_from_lines():
    lines = ["learning-rate=1e-3:1e-2", "dropout=0,0.25", "hidden=8:32"]
    assert read_candidates(lines, TrainChoice) == {
        "learning_rate": Range(1e-3, 1e-2, logarithmic=True),
        "dropout": (0.0, 0.25),
        "hidden": Range(8, 32, whole=True),
    }


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["dropout"], "must be given as learning-rate=1e-3:1e-2 or dropout=0,0.2,0.4, not 'dropout'"),
        (["dropout=low"], "must be given as"),
        (["dropout=0:1:2"], "must be given as"),
        (["dropout=0", "dropout=1"], "dropout is given twice"),
        (["clip=10:1"], "from small to large"),
        (["momentum=0.9"], "momentum cannot be tuned; hidden, layers, projection, epochs, learning_rate"),
        (["seed=1,2"], "seed cannot be tuned"),
        (["dropout=0.5,1.5"], "dropout must be from 0.0 to 0.9, not 1.5"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_anything_is_trained(lines, text, task, tmp_path):
    with pytest.raises(ConfigError, match=text):
        tune(task, tmp_path / "tuned", choice=QUICK, candidates=read_candidates(lines, TrainChoice))
    assert not (tmp_path / "tuned").exists()


def test_scores_that_are_only_compared_get_no_intervals(task, tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(uncertainty, "bootstrap", lambda *given: taken.append(given))
    task = as_task(task, metric="f1")
    model = train(task, QUICK).model
    assert len(taken) == 1
    given = {"settings": TuneSettings(trials=1), "workers": ALONE}
    tune(task, tmp_path / "trained", choice=QUICK, **given)
    tune(task, tmp_path / "quantised", model, choice=SHORT, shape=Shape(lanes=8), **given)
    assert len(taken) == 1
