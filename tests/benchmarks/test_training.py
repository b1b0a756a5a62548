import numpy as np
import pytest

from gatewright.benchmarks.training import bench_train
from gatewright.results import Rows
from gatewright.sw.settings import CompressSettings, TrainSettings


@pytest.fixture(scope="module")
def rows(tmp_path_factory, task):
    path = tmp_path_factory.mktemp("bench") / "ramps.npz"
    sequences = task.train.sequences
    np.savez(path, X=np.concatenate(sequences), y=task.train.targets, lengths=[len(s) for s in sequences])
    found = bench_train(
        seeds=(0, 1),
        densities=(1.0, 0.5),
        task=str(path),
        train=TrainSettings(hidden=8, epochs=3),
        shrink=CompressSettings(prune_epochs=2, quantise_epochs=3),
        lanes=16,
    )
    return Rows(found)


def test_every_seed_and_density_has_its_row(rows):
    found = [(row.seed, row.parameters["density"]) for row in rows.where("score")]
    assert found == [(0, 1.0), (0, 0.5), (1, 1.0), (1, 0.5)]
    assert [row.seed for row in rows.where("float_score", metric="accuracy")] == [0, 1]
    assert len(rows.where("baseline_score")) == 2


def test_means_and_losses_add_up(rows):
    accuracy = np.array(rows.all("score")).reshape(2, 2)
    mean = rows.figure("mean_float_score")
    assert mean == pytest.approx(rows.mean("float_score"))
    assert rows.all("mean_score") == pytest.approx(accuracy.mean(axis=0).tolist())
    assert rows.all("score_lost") == pytest.approx((mean - accuracy.mean(axis=0)).tolist())


def test_an_epoch_takes_time(rows):
    single, quantised, ratio = map(rows.figure, ("float_epoch", "quantised_epoch", "quantised_epoch_ratio"))
    assert 0 < single < 60
    assert ratio == pytest.approx(quantised / single)
