"""The benchmarks of searching, on a task and models that are tiny."""

import numpy as np
import pytest

from gatewright.benchmarks.search import METHODS, bench_methods, bench_proxies, bench_spaces
from gatewright.results import Rows
from gatewright.sw.search.settings import SuperSettings

TINY = {"training": {"hidden": 8, "epochs": 2}, "sandwich": SuperSettings(epochs=1), "lanes": 8}


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    rng = np.random.default_rng(3)
    y = np.arange(60) % 3
    X = rng.normal(size=(60 * 6, 4)) + np.repeat(y, 6)[:, None]
    path = tmp_path_factory.mktemp("task") / "mine.npz"
    np.savez(path, X=X, y=y, lengths=np.full(60, 6))
    return str(path)


def test_every_method_has_its_progress_and_its_best(mine):
    rows = Rows(bench_methods(seeds=(0, 1), task=mine, trials=4, **TINY))
    for method in METHODS:
        for seed in (0, 1):
            mine_alone = Rows(row for row in rows if row.seed == seed)
            progress = mine_alone.all("method_progress", method=method)
            assert len(progress) == 4
            assert progress == sorted(progress)
            assert mine_alone.all("method_reward", method=method) == progress[-1:]
    assert rows.all("method_reward", method="entropy")


def test_spaces_are_compared_by_their_hypervolume(mine):
    rows = Rows(bench_spaces(seeds=(0,), tasks={mine: TINY}, seconds=0.5))
    assert set(rows.distinct("space")) == {"joint", "bits", "rank", "density", "sequential"}
    assert all(value >= 0 for value in rows.all("hypervolume"))
    assert all(value >= 1 for value in rows.all("candidates"))


def test_both_fronts_of_a_proxy_are_measured(mine):
    rows = Rows(bench_proxies(task=mine, trials=5, **TINY))
    for scored in ("cycles", "macs"):
        points = len(rows.all("proxy_point_score", scored_by=scored, metric="accuracy"))
        assert points >= 1
        for name in ("cycles", "stored_bits", "macs"):
            assert len(rows.all(f"proxy_point_{name}", scored_by=scored)) == points
        assert 0 <= rows.figure("proxy_dominated", scored_by=scored) <= 1
