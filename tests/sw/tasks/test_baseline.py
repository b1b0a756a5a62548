import numpy as np
import pytest

from gatewright.sw.tasks import Task, baseline, load_task, stratify


def test_spoken_digits_reach_what_is_known():
    assert np.mean([baseline(load_task("digits", seed=s)) for s in (0, 1)]) == pytest.approx(93.2, abs=0.5)


def sequences(rng, classes, mean):
    return [
        (rng.normal(size=(rng.integers(5, 20), 3)) + np.array([mean * k, 0, 0])).astype(np.float32)
        for k in classes
    ]


def test_chance_without_a_signal_and_certainty_with_one():
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1], 300)
    for mean, low, high in ((0.0, 35, 65), (10.0, 100, 100)):
        made = stratify(sequences(rng, classes, mean), classes, seed=0)
        assert low <= baseline(Task("made", ("a", "b"), *made)) <= high


def test_a_constant_feature_does_no_harm():
    rng = np.random.default_rng(1)
    classes = np.repeat([0, 1], 30)
    made = [np.hstack([s, np.ones((len(s), 1), np.float32)]) for s in sequences(rng, classes, 10.0)]
    assert baseline(Task("made", ("a", "b"), *stratify(made, classes, seed=0))) == 100.0
