import dataclasses
import json

import numpy as np
import pytest

from gatewright.errors import ConfigError, DataError
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import CompressSettings, compress
from gatewright.sw.integer import evaluate
from gatewright.sw.rows import gate_rows

BRIEF = {"lanes": 16, "prune_epochs": 6, "quantise_epochs": 3, "prune_rate": 1e-2, "seed": 5}


@pytest.fixture(scope="module")
def bundle(task, float_model):
    return compress(task, float_model, CompressSettings(density=0.25, **BRIEF))


def test_no_lane_and_column_holds_more_than_its_share(bundle):
    lane, _ = gate_rows(16, 16)
    layer = bundle.layers[0]
    for matrix in (layer.input, layer.recurrent):
        for which in range(16):
            assert (np.count_nonzero(matrix.values[lane == which], axis=0) <= 1).all()
        assert matrix.density > 0.2


def test_notes_tell_where_the_model_comes_from(bundle, task):
    notes = bundle.notes
    assert json.loads(json.dumps(notes)) == notes
    assert (notes["task"], notes["seed"], notes["density"]) == ("ramps", 5, 0.25)
    assert notes["test_accuracy"] == evaluate(bundle, task.test) >= 90
    assert notes["validation_accuracy"] == evaluate(bundle, task.validation)
    assert notes["settings"]["prune_epochs"] == 6
    assert notes["train_settings"]["hidden"] == 16


def test_the_same_seed_gives_the_same_integers(bundle, task, float_model, tmp_path):
    again = compress(task, float_model, CompressSettings(density=0.25, **BRIEF))
    for k, made in enumerate((bundle, again)):
        made.save(tmp_path / f"{k}.npz")
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()
    assert Bundle.load(tmp_path / "0.npz").notes == bundle.notes


def test_a_density_of_one_only_quantises(task, float_model):
    said = []
    settings = CompressSettings(density=1.0, **BRIEF)
    made = compress(task, float_model, settings, lambda what, *_: said.append(what))
    assert set(said) == {"quantise 1 to 8 bits"}
    assert made.notes["density"] == 1.0


def test_a_density_that_no_pattern_has_is_told(task, float_model):
    settings = CompressSettings(density=0.4, **(BRIEF | {"prune_epochs": 2, "quantise_epochs": 1}))
    made = compress(task, float_model, settings)
    assert made.notes["density"] == 0.5
    assert made.notes["settings"]["density"] == 0.4


def test_another_task_is_refused(task, float_model):
    other = dataclasses.replace(task, labels=("a", "b", "c"))
    with pytest.raises(DataError, match="has the classes a, b, c, but the model was trained on falling"):
        compress(other, float_model, CompressSettings(**BRIEF))


def test_more_lanes_than_rows_are_refused(task, float_model):
    with pytest.raises(ConfigError, match="lanes must be at most 64 for 16 hidden units, not 128"):
        compress(task, float_model, CompressSettings(lanes=128))
