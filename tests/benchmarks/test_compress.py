import numpy as np
import pytest

from gatewright.benchmarks.compress import TARGETS, bench_compress
from gatewright.sw.settings import CompressSettings, SimplifySettings, TrainSettings


def test_each_target_has_its_rows_and_means(tmp_path):
    rng = np.random.default_rng(3)
    y = np.arange(60) % 3
    centres = rng.normal(size=(3, 4))
    X = np.concatenate([centres[c] + 0.2 * rng.normal(size=(5, 4)) for c in y])
    np.savez(tmp_path / "mine.npz", X=X, y=y, lengths=np.full(60, 5))
    rows = bench_compress(
        seeds=(0, 1),
        task=str(tmp_path / "mine.npz"),
        train=TrainSettings(hidden=8, epochs=2),
        shrink=CompressSettings(prune_epochs=2, quantise_epochs=1),
        how=SimplifySettings(units=("hidden",), round_epochs=1, least_share=0.2, lanes=4),
    )
    for target in TARGETS:
        found = {
            name: [row for row in rows if row.name == name and row.parameters["target"] == target]
            for name in ("compression", "points_lost", "requirement_met", "compression_seconds")
        }
        assert all([row.seed for row in each] == [0, 1] for each in found.values())
        for row in found["requirement_met"]:
            assert bool(row.value) == (row.parameters["reason"] == "")
        for name in ("compression", "points_lost"):
            (mean,) = (r.value for r in rows if (r.name, r.parameters["target"]) == (f"mean_{name}", target))
            assert mean == pytest.approx(np.mean([row.value for row in found[name]]))
