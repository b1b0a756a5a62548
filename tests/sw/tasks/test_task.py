import numpy as np
import pytest

from gatewright.errors import DataError
from gatewright.sw.tasks import moments, stratify


def test_a_constant_feature_keeps_its_scale():
    steps = np.array([[1, 0.1], [3, 0.1], [5, 0.1]], dtype=np.float32)
    mean, deviation = moments(steps)
    assert mean.tolist() == [3, pytest.approx(0.1)]
    assert deviation.tolist() == [pytest.approx(np.sqrt(8 / 3)), 1.0]


def numbered(counts):
    classes = np.repeat(np.arange(len(counts)), counts)
    return [np.full((1, 1), k, dtype=np.float32) for k in range(len(classes))], classes


def members(split):
    return [int(s[0, 0]) for s in split.sequences]


def test_every_class_is_split_alike_and_every_sequence_used_once():
    sequences, classes = numbered([20, 40])
    parts = stratify(sequences, classes, seed=3)
    assert [np.bincount(part.targets).tolist() for part in parts] == [[14, 28], [3, 6], [3, 6]]
    assert sorted(k for part in parts for k in members(part)) == list(range(60))
    assert all((classes[members(part)] == part.targets).all() for part in parts)


def test_the_seed_decides():
    sequences, classes = numbered([20, 20])
    chosen = [members(stratify(sequences, classes, seed=s)[2]) for s in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_the_smallest_class_that_can_be_split():
    parts = stratify(*numbered([3, 9]), seed=0)
    assert [(part.targets == 0).sum() for part in parts] == [1, 1, 1]
    with pytest.raises(DataError, match="class 1 has 2 sequences"):
        stratify(*numbered([3, 2]), seed=0)
