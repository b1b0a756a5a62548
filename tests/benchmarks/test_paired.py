"""Intervals of the difference of two scores."""

from dataclasses import replace

import numpy as np
import pytest

from gatewright.benchmarks.paired import difference, resampled
from gatewright.cosim.workloads import random_bundle
from gatewright.sw.integer import evaluate, integer_results
from gatewright.sw.metrics import METRICS


@pytest.fixture(scope="module")
def split(task):
    return task.test


def test_resamples_spread_about_the_score(split):
    bundle, accuracy = random_bundle(1, inputs=2), METRICS["accuracy"]
    found = resampled({"a": bundle}, split, accuracy)["a"]
    score = evaluate(bundle, split, accuracy)
    deviation = np.sqrt(score * (100 - score) / len(split))
    assert abs(found.mean() - score) < 0.3 * deviation
    assert 0.7 * deviation < found.std() < 1.3 * deviation


def test_a_difference_is_better_or_worse_or_neither(split):
    # Both say the same whatever they hear, and a third of the recordings are of each class.
    bundles = {"a": random_bundle(1, inputs=2), "other": random_bundle(2, inputs=2)}
    said = {name: integer_results(each, split.sequences)[0][-1].argmax() for name, each in bundles.items()}
    assert said["a"] != said["other"]
    neither = resampled(bundles, split, METRICS["accuracy"])
    assert difference(neither["a"], neither["a"]) == (0.0, 0.0)
    low, high = difference(neither["a"], neither["other"])
    assert -60 < low < -10
    assert 10 < high < 60
    own = replace(split, targets=np.full(len(split), said["a"]))
    for metric in (METRICS["accuracy"], METRICS["bits"]):
        quality = resampled(bundles, own, metric)
        low, high = difference(quality["a"], quality["other"])
        assert 0 < low <= high
        assert difference(quality["other"], quality["a"]) == pytest.approx((-high, -low))
