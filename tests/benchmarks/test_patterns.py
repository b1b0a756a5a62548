import numpy as np
import pytest

from gatewright.benchmarks.patterns import bench_patterns
from gatewright.results import Rows
from gatewright.sw.compress import CompressSettings
from gatewright.sw.settings import TrainSettings


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("task") / "mine.npz"
    labels = np.arange(60) % 3
    X = rng.normal(size=(60 * 8, 5)) + np.repeat(labels, 8)[:, None]
    np.savez(path, X=X, y=labels, lengths=np.full(60, 8))
    found = bench_patterns(
        seeds=(0, 1),
        densities=(0.5, 0.25),
        task=str(path),
        train=TrainSettings(hidden=16, epochs=2),
        shrink=CompressSettings(prune_epochs=2, quantise_epochs=1),
        lanes=8,
    )
    return Rows(found)


def test_every_pattern_is_measured_at_every_density(rows):
    measured = rows.where("pattern_score", metric="accuracy", better="more")
    places = {(row.seed, *map(row.parameters.get, ("columns", "density", "split"))) for row in measured}
    assert len(places) == len(measured) == 2 * 3 * 2 * 2
    assert all(0 <= row.value <= 100 for row in measured)


def test_points_are_differences_of_means(rows):
    def mean(columns):
        return rows.mean("pattern_score", columns=columns, density=0.25, split="test")

    assert rows.values("worse_than_unstructured", "columns", density=0.25) == pytest.approx(
        {name: mean("unstructured") - mean(name) for name in ("equal", "contribution")}
    )
