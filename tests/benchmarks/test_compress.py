import numpy as np
import pytest

from gatewright.benchmarks.compress import TARGETS, bench_compress
from gatewright.results import Rows
from gatewright.sw.settings import CompressSettings, SimplifySettings, TrainSettings


def test_each_target_has_its_rows_and_means(tmp_path):
    rng = np.random.default_rng(3)
    y = np.arange(60) % 3
    centres = rng.normal(size=(3, 4))
    X = np.concatenate([centres[c] + 0.2 * rng.normal(size=(5, 4)) for c in y])
    np.savez(tmp_path / "mine.npz", X=X, y=y, lengths=np.full(60, 5))
    found = bench_compress(
        seeds=(0, 1),
        task=str(tmp_path / "mine.npz"),
        train=TrainSettings(hidden=8, epochs=2),
        shrink=CompressSettings(prune_epochs=2, quantise_epochs=1),
        how=SimplifySettings(units=("hidden",), round_epochs=1, least_share=0.2, lanes=4),
    )
    rows = Rows(found)
    for target in TARGETS:
        mine = rows.where(target=target)
        for name in ("compression", "score_lost", "requirement_met", "compression_seconds"):
            assert [row.seed for row in mine.where(name)] == [0, 1]
        for row in mine.where("requirement_met"):
            assert bool(row.value) == (row.parameters["reason"] == "")
        for name in ("compression", "score_lost"):
            assert mine.figure(f"mean_{name}") == pytest.approx(mine.mean(name))
