"""Choosing by cycles and by multiply-accumulates, on figures that are known and on a task that is tiny."""

import numpy as np
import pytest
import studies

from gatewright.benchmarks.latency import (
    CASES,
    LEVELS,
    Case,
    Priced,
    bench_latency,
    coded,
    front,
    kendall,
    lost,
    worst,
)
from gatewright.results import Rows
from gatewright.sw.search.settings import SuperSettings
from gatewright.sw.tasks import load_task

DENSITIES = {"layer0.recurrent.density": (0.5, 1.0)}


def priced(score, cycles, macs):
    return Priced({}, score, score, cycles, macs)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "ramps.npz"
    studies.write_task(path)
    return str(path)


def test_kendalls_tau_counts_pairs_and_leaves_ties_out():
    assert kendall([1, 2, 3], [10, 20, 30]) == 1
    assert kendall([1, 2, 3], [3, 2, 1]) == -1
    assert kendall([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(4 / 6)
    # Three pairs differ in the second, two of them in both: 2 / sqrt(2 * 3).
    assert kendall([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / 6**0.5)
    assert kendall([1, 1], [1, 2]) == 0


def test_fronts_lose_nothing_where_costs_agree():
    found = [priced(90, 100.0, 10), priced(95, 200.0, 20), priced(94, 300.0, 30)]
    fronts = front(found, "cycles"), front(found, "macs")
    assert fronts[0] == fronts[1] == found[:2]
    assert lost(*fronts, (-85, np.log2(400))) == 0
    assert worst(*fronts, 85) == 1


def test_what_the_fewest_macs_lose():
    found = [priced(90, 400.0, 10), priced(90, 100.0, 11), priced(95, 400.0, 20)]
    by_cycles, by_macs = front(found, "cycles"), front(found, "macs")
    assert by_cycles == found[1:]
    assert by_macs == [found[0], found[2]]
    assert worst(by_cycles, by_macs, 85) == 4
    # Of an octave by 10 points and two more by 5, the octave is left.
    assert lost(by_cycles, by_macs, (-85, np.log2(800))) == pytest.approx(10 / 20)
    # Below the least score nothing counts.
    assert worst(by_cycles, by_macs, 91) == 1


def test_codes_are_one_of_some_for_each_feature(task):
    plain = load_task(task)
    found = coded(plain)
    assert not found.scaled
    for name in ("train", "validation", "test"):
        for before, after in zip(getattr(plain, name).sequences, getattr(found, name).sequences, strict=True):
            assert after.shape == (len(before), LEVELS * before.shape[1])
            assert (after.reshape(len(before), -1, LEVELS).sum(axis=2) == 1).all()
    share = np.concatenate(found.train.sequences).mean(axis=0)
    assert share == pytest.approx(1 / LEVELS, abs=0.02)


def test_cases_have_names_of_their_own():
    assert len({(case.name, case.lanes, case.cell_lanes) for case in CASES}) == len(CASES)


@pytest.mark.slow
def test_both_fronts_are_measured(task):
    case = Case("zero inputs", 8, 1, DENSITIES, coded=True)
    training = {"hidden": 8, "epochs": 2}
    rows = Rows(bench_latency(cases=[case], task=task, training=training, sandwich=SuperSettings(epochs=1)))
    (correlation,) = rows.where("latency_correlation")
    assert (correlation.parameters["cause"], correlation.parameters["candidates"]) == ("zero inputs", 2)
    assert correlation.value == 1
    assert rows.figure("latency_worst") >= 1
    assert 0 <= rows.figure("latency_lost") <= 1
    for cost in ("cycles", "macs"):
        points = rows.where(scored_by=cost)
        counts = {len(points.all(f"latency_point_{name}")) for name in ("score", "cycles", "macs")}
        assert len(counts) == 1
        assert counts <= {1, 2}
