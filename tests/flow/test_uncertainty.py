"""Intervals of scores by resampling, against what statistics says of known samples."""

from dataclasses import replace

import numpy as np
import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import BundleError
from gatewright.flow.uncertainty import bootstrap, interval_rows, scored_parts
from gatewright.sw.metrics import METRICS, Metric, mse
from gatewright.sw.tasks import Split


def parts_of(errors):
    """Recordings of one position each, whose squared errors are those given."""
    return [(np.array([[np.sqrt(each)]]), np.zeros((1, 1))) for each in errors]


@pytest.mark.parametrize("metric", [METRICS["mse"], Metric("mine:mse", "", False, mse)])
def test_the_interval_of_a_mean_is_that_of_the_central_limit(metric):
    errors = np.random.default_rng(1).uniform(0, 1, 400)
    low, high = bootstrap(parts_of(errors), metric)
    half = 1.959964 * errors.std() / np.sqrt(len(errors))
    assert low == pytest.approx(errors.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(errors.mean() + half, abs=0.1 * half)


def test_it_is_the_same_each_time_and_another_with_another_seed():
    parts = parts_of(np.random.default_rng(1).uniform(0, 1, 50))
    first = bootstrap(parts, METRICS["mse"])
    assert bootstrap(parts, METRICS["mse"]) == first != bootstrap(parts, METRICS["mse"], seed=1)


def test_longer_recordings_weigh_more():
    # Half of the recordings have 9 positions with error 1, the others one with error 0: the mean is 0.9.
    parts = [(np.ones((9, 1)), np.zeros((9, 1)))] * 50 + parts_of(np.zeros(50))
    low, high = bootstrap(parts, METRICS["mse"])
    assert 0.8 < low < 0.9 < high < 0.95


def test_of_alike_recordings_the_f1_is_certain():
    part = (np.array([[2.0, 1.0], [0.0, 1.0], [2.0, 1.0]]), np.array([0, 1, 1]))
    # Of class 0 one of two predictions is right, of class 1 one of two targets is found: 2/3 each.
    assert bootstrap([part] * 20, METRICS["f1"]) == pytest.approx((200 / 3, 200 / 3))


def test_there_is_none_of_few_recordings_or_where_the_metric_is_not_defined():
    def both_classes(outputs, targets):
        return 1 / (len(np.unique(targets)) - 1)

    assert bootstrap(parts_of(np.ones(9)), METRICS["mse"]) is None
    empty = (np.zeros((0, 1)), np.zeros((0, 1)))
    assert bootstrap([*parts_of(np.ones(9)), empty], METRICS["mse"]) is None
    rare = [(np.zeros((1, 2)), np.array([int(k == 0)])) for k in range(20)]
    assert bootstrap(rare, Metric("mine:both", "", True, both_classes)) is None


def test_recordings_are_the_parts_and_what_does_not_count_is_left_out():
    results = [np.full((3, 1), float(k)) for k in range(40)]
    parts = scored_parts(results, Split(results, np.zeros((40, 1), np.float32)))
    assert [len(targets) for _, targets in parts] == [1] * 40
    targets = [np.array([[np.nan], [1.0], [2.0]], np.float32)] * 40
    parts = scored_parts(results, Split(results, targets))
    assert [part[1].tolist() for part in parts] == [[[1.0], [2.0]]] * 40


def test_one_long_stream_is_cut_into_blocks_of_neighbours():
    stream = np.arange(5000, dtype=np.float64)[:, None]
    parts = scored_parts([stream], Split([stream], [np.zeros((5000, 1), np.float32)]))
    assert [len(targets) for _, targets in parts] == [50] * 100
    assert np.array_equal(np.concatenate([outputs for outputs, _ in parts]), stream)
    short = scored_parts([stream[:250]], Split([stream[:250]], [np.zeros((250, 1), np.float32)]))
    assert [len(targets) for _, targets in short] == [20] * 12 + [10]


def test_neighbours_that_depend_on_each_other_make_a_stream_less_certain():
    errors = np.repeat(np.random.default_rng(2).uniform(0, 1, 100), 50)
    outputs = np.sqrt(errors)[:, None]
    blocks = scored_parts([outputs], Split([outputs], [np.zeros((5000, 1), np.float32)]))
    widths = [
        high - low for low, high in (bootstrap(each, METRICS["mse"]) for each in (blocks, parts_of(errors)))
    ]
    assert widths[0] == pytest.approx(np.sqrt(50) * widths[1], rel=0.15)


def test_notes_become_rows():
    bundle = random_bundle(1, inputs=2, hidden=4, classes=3, lanes=4)
    assert list(interval_rows(bundle, "a")) == []
    about = {"metric": "bits", "unit": "bits", "more_is_better": False, "seed": 3}
    noted = replace(bundle, notes=about | {"intervals": {"test": [2.0, 2.5]}})
    low, high = interval_rows(noted, "a")
    assert (low.name, low.value, high.name, high.value) == ("score_low", 2.0, "score_high", 2.5)
    assert low.parameters == {"model": "a", "split": "test", "metric": "bits", "better": "less"}
    with pytest.raises(BundleError, match="the notes of a on its scores' intervals are malformed"):
        list(interval_rows(replace(noted, notes=about | {"intervals": {"test": 2}}), "a"))
