import numpy as np
import pytest

from gatewright.benchmarks import compress
from gatewright.benchmarks.compress import TARGETS, bench_compress
from gatewright.results import Rows
from gatewright.sw.settings import CompressSettings, SimplifySettings, TrainSettings
from gatewright.sw.tasks import save_task


@pytest.mark.slow
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


@pytest.mark.parametrize(("equal", "reached"), [(True, "longer"), (False, "compress_to")])
def test_float_models_get_the_epochs_of_compression_unless_told_otherwise(
    task, tmp_path, monkeypatch, equal, reached
):
    class ReachedError(Exception):
        pass

    def reach(name):
        def raising(*given):
            raise ReachedError(name)

        return raising

    for name in ("longer", "compress_to"):
        monkeypatch.setattr(compress, name, reach(name))
    save_task(task, tmp_path / "mine.npz")
    with pytest.raises(ReachedError, match=reached):
        bench_compress(
            seeds=(0,),
            task=str(tmp_path / "mine.npz"),
            train=TrainSettings(hidden=8, epochs=1),
            equal_epochs=equal,
        )
