from dataclasses import replace

import numpy as np
import pytest

from gatewright.cosim.search.weights import weight_of
from gatewright.sw.metrics import METRICS
from gatewright.sw.tasks import task_from


def task(y, metric):
    return task_from({"X": np.zeros((40, 5, 2), dtype=np.float32), "y": y}, metric=metric)


def test_metrics_in_percent_have_the_default():
    assert weight_of(task(np.arange(40) % 2, "accuracy"), 61.0) == 10.0


def test_values_are_weighed_by_what_the_mean_misses():
    y = np.random.default_rng(0).normal(3.0, 2.0, size=(40, 5, 1)).astype(np.float32)
    mse = task(y, "mse")
    variance = float(np.concatenate(mse.validation.targets).astype(np.float64).var())
    assert weight_of(mse, 0.25 * variance) == pytest.approx(0.1 * 0.75 * variance)
    assert weight_of(replace(mse, metric=METRICS["r2"]), 0.9) == pytest.approx(0.09)


def test_bits_are_weighed_by_what_frequencies_tell():
    bits = task(np.arange(40) % 2, "bits")
    share = np.bincount(bits.validation.targets) + 1
    share = share / share.sum()
    known = -np.log2(share[bits.validation.targets]).mean()
    assert weight_of(bits, 0.2) == pytest.approx(0.1 * (known - 0.2))


def test_a_model_that_knows_nothing_has_the_default():
    y = np.ones((40, 5, 1), dtype=np.float32)
    assert weight_of(task(y, "mse"), 0.0) == 10.0
