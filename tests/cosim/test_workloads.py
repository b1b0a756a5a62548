import numpy as np
import pytest

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.sw.rows import gate_rows


@pytest.mark.parametrize(("hidden", "kept"), [(16, 2), (16, 8), (13, 1), (13, 6), (16, None)])
def test_every_lane_keeps_the_same_in_every_column(hidden, kept):
    layer = random_bundle(0, hidden=hidden, kept=kept, lanes=8).layers[0]
    lane, _ = gate_rows(hidden, 8)
    for matrix in (layer.input, layer.recurrent):
        for which in range(8):
            count = np.count_nonzero(matrix.values[lane == which], axis=0)
            assert (count == (np.count_nonzero(lane == which) if kept is None else kept)).all()


def test_gates_are_not_saturated():
    bundle = random_bundle(0, inputs=13, hidden=128, kept=2, lanes=32)
    layer = bundle.layers[0]
    x = random_inputs(0, bundle, 50)
    pre = (x @ layer.input.values.T.astype(int)) * 2.0 ** -(layer.input_format.frac + layer.input.format.frac)
    assert 0.2 < np.std(pre) < 3


def test_seed_decides():
    one, same, other = (random_bundle(seed) for seed in (1, 1, 2))
    assert np.array_equal(one.layers[0].input.values, same.layers[0].input.values)
    assert not np.array_equal(one.layers[0].input.values, other.layers[0].input.values)
    x, y = random_inputs(4, one, 6), random_inputs(4, one, 6)
    assert x.shape == (6, 5)
    assert np.array_equal(x, y)
