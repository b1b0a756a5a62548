import numpy as np
import pytest

from gatewright.cosim.workloads import random_model, random_sequences
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig


@pytest.mark.parametrize(("hidden", "density", "kept"), [(16, 0.25, 2), (16, 1.0, 8), (13, 0.01, 1)])
def test_density_is_the_same_in_every_lane_and_column(hidden, density, kept):
    bundle = random_model(0, inputs=3, hidden=hidden, classes=2, lanes=8, density=density)
    config = AcceleratorConfig(lanes=8, cell_lanes=1)
    sparse = compile_bundle(bundle, config, mode="sparse")
    assert sparse.image.indices.shape == (8, kept * (3 + hidden))
    if hidden % 2 == 0:
        assert bundle.layers[0].recurrent.density == kept / 8


def test_seed_decides():
    one, same, other = (
        random_model(seed, inputs=3, hidden=8, classes=2, lanes=8, density=0.5) for seed in (1, 1, 2)
    )
    assert np.array_equal(one.layers[0].input.values, same.layers[0].input.values)
    assert not np.array_equal(one.layers[0].input.values, other.layers[0].input.values)
    (x,), (y,) = random_sequences(4, one, [6]), random_sequences(4, one, [6])
    assert x.shape == (6, 3)
    assert np.array_equal(x, y)
