import numpy as np
import pytest

from gatewright.cosim.golden import Golden
from gatewright.cosim.ideal import ideal_cycles
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.hw.compiler import compile_bundle, smallest_config

LANES = 8


def compiled_for(bundle, mode, **config):
    config = smallest_config([(bundle, mode)], lanes=LANES, cell_lanes=1, **config)
    return compile_bundle(bundle, config, mode=mode, hidden_results="all")


def cycles(compiled, sequences, **choices):
    """Ideal and predicted cycles of each sequence."""
    measurement = Measurement(compiled, sequences, **choices)
    return ideal_cycles(measurement), [each.cycles for each in measurement.predict()]


def by_part(bundle):
    layer = bundle.layers[0]
    return [np.count_nonzero(each.values) for each in (layer.input, layer.recurrent, bundle.head.matrix)]


def test_first_steps_of_fresh_sequences_have_no_recurrent_product():
    bundle = random_bundle(3, inputs=5, hidden=16, kept=1, lanes=LANES)
    w_ih, w_hh, head = by_part(bundle)
    x = random_inputs(0, bundle, 3)
    ideal, _ = cycles(compiled_for(bundle, "sparse"), [x, x, x], fresh=[True, False, True])
    useful = np.array([3 * w_ih + 2 * w_hh + head, 3 * w_ih + 3 * w_hh + head, 3 * w_ih + 2 * w_hh + head])
    np.testing.assert_allclose(ideal, useful / LANES)


@pytest.mark.parametrize("bits", [2, 4])
def test_a_word_of_narrow_weights_is_one_cycle(bits):
    bundle = random_bundle(4, inputs=8, hidden=32, weight_bits=(bits, bits, 8), lanes=LANES)
    w_ih, w_hh, head = by_part(bundle)
    (ideal,), (predicted,) = cycles(compiled_for(bundle, "dense"), [random_inputs(0, bundle, 4)])
    assert ideal == pytest.approx(((4 * w_ih + 3 * w_hh) * bits / 8 + head) / LANES)
    assert predicted >= ideal


def test_skipped_column_steps_are_no_work():
    bundle = random_bundle(5, inputs=6, hidden=16, classes=0, lanes=LANES)
    layer = bundle.layers[0]
    compiled = compiled_for(bundle, "dense")
    x = random_inputs(1, bundle, 5, zeros=0.6)
    h = Golden(compiled).run(x).reshape(5, 16)[:-1]
    useful = sum(
        int(np.count_nonzero(matrix.values[:, vectors != 0]))
        for matrix, all_vectors in ((layer.input, x), (layer.recurrent, h))
        for vectors in all_vectors
    )
    for skip, wanted in ((True, useful), (False, compiled.useful_macs(5))):
        assert cycles(compiled, [x], skip=skip)[0] == pytest.approx([wanted / LANES])


@pytest.mark.parametrize("seed", range(12))
def test_the_ideal_is_never_beaten(seed):
    rng = np.random.default_rng(seed)
    bundle = random_bundle(
        seed,
        inputs=int(rng.integers(1, 12)),
        hidden=int(rng.integers(4, 30)),
        kept=[None, 1][seed % 2],
        lanes=LANES,
        weight_bits=[8, 4, 2][seed % 3],
        rank=[None, 3][seed // 6],
    )
    compiled = compiled_for(bundle, ["dense", "sparse"][seed % 2])
    sequences = [random_inputs(k, bundle, steps, zeros=0.7) for k, steps in enumerate((1, 6, 3))]
    for skip in (False, True, [True, False, True]):
        for ideal, predicted in zip(*cycles(compiled, sequences, skip=skip, fresh=False), strict=True):
            assert 0 < ideal <= predicted
