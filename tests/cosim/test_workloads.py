import numpy as np
import pytest
import torch

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.sw.integer import matvec, run_integer, run_layer
from gatewright.sw.numbers import round_shift
from gatewright.sw.rows import gate_rows, slot_rows


@pytest.mark.parametrize(("hidden", "kept"), [(16, 2), (16, 8), (13, 1), (13, 6), (16, None)])
@pytest.mark.parametrize(("weight_bits", "slots"), [(8, 1), (4, 2), (2, 4)])
@pytest.mark.parametrize("rank", [None, 3])
def test_every_slot_keeps_the_same_in_every_column(hidden, kept, weight_bits, slots, rank):
    layer = random_bundle(0, hidden=hidden, kept=kept, lanes=8, weight_bits=weight_bits, rank=rank).layers[0]
    slot, _ = slot_rows(gate_rows(hidden, 8), slots)
    for product in (layer.input, layer.recurrent):
        matrix = product if rank is None else product.second
        assert matrix.format.bits == weight_bits
        for which in range(8 * slots):
            rows = np.count_nonzero(slot == which)
            count = np.count_nonzero(matrix.values[slot == which], axis=0)
            assert (count == (rows if kept is None else min(rows, kept))).all()


def test_widths_of_the_matrices():
    bundle = random_bundle(0, inputs=20, hidden=40, classes=50, weight_bits=(2, 4, 8), rank=8, projection=20)
    widths = {name: stage.matrix.format.bits for name, stage in bundle.matrices.items()}
    assert widths == {
        "layer0.input.first": 2,
        "layer0.input.second": 2,
        "layer0.recurrent.first": 4,
        "layer0.recurrent.second": 4,
        "layer0.projection": 4,
        "head": 8,
    }
    for stage in bundle.matrices.values():
        assert stage.matrix.values.min() <= 0.9 * stage.matrix.format.min
        assert stage.matrix.values.max() >= 0.9 * stage.matrix.format.max


def test_shapes_of_the_layers():
    first, second = random_bundle(0, inputs=4, hidden=6, lanes=4, layers=2, rank=3, projection=5).layers
    assert (first.input.columns, first.input.rank, first.recurrent.columns, first.recurrent.rank) == (
        4,
        3,
        5,
        3,
    )
    assert (second.input_size, second.hidden_size, second.output_size) == (5, 6, 5)
    # Formats differ, so that none can be taken for another.
    assert len({first.input_format, first.input.middle, first.hidden_format, first.output_format}) == 4


def test_zeros_anywhere():
    bundle = random_bundle(0, inputs=30, hidden=40, rank=8, projection=20, unbalanced=0.7)
    for name, stage in bundle.matrices.items():
        assert stage.matrix.density == pytest.approx(1.0 if name == "head" else 0.3, abs=0.06)
    layer = random_bundle(0, inputs=30, hidden=40, unbalanced=0.7).layers[0]
    lane, _ = gate_rows(40, 8)
    assert len(set(np.count_nonzero(layer.input.values[lane == 0], axis=0).tolist())) > 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"inputs": 13, "hidden": 128, "kept": 2, "lanes": 32},
        {"weight_bits": 2},
        {"weight_bits": (2, 8, 4), "activation_bits": 16},
        {"weight_bits": (8, 2, 4)},
        {"rank": 4},
        {"rank": 4, "projection": 8, "layers": 2},
        {"rank": 4, "projection": 8, "layers": 2, "weight_bits": 2, "activation_bits": 16},
        {"inputs": 40, "hidden": 64, "rank": 16},
        {"inputs": 20, "hidden": 64, "rank": 8, "unbalanced": 0.7},
    ],
)
def test_vectors_and_gates_use_their_range_but_do_not_saturate(options):
    bundle = random_bundle(0, **options)
    x = torch.from_numpy(random_inputs(0, bundle, 50))[:, None].int()
    for layer in bundle.layers:
        trace = run_layer(layer, x)
        before = torch.cat([torch.zeros_like(trace.output[:1]), trace.output[:-1]])
        gates = torch.from_numpy(layer.bias).double()
        for product, source, vectors, shift in (
            (layer.input, layer.input_format, x, layer.input_shift),
            (layer.recurrent, layer.output_format, before, layer.recurrent_shift),
        ):
            gates = gates + (matvec(product, source, vectors).double() * 2**shift)
            if options.get("rank"):
                first, second = product.stages(source)
                z = round_shift(matvec(first.matrix, source, vectors), first.shift(second.source))
                check_range(z, second.source)
        pre = gates * 2.0**-layer.accumulator_frac
        assert 0.2 < pre.std() < 4
        assert (pre.abs() < 16).all()
        check_range(trace.output, layer.output_format)
        x = trace.output


def check_range(vectors, format):
    share = vectors.double() / format.max
    assert 0.05 < share.std() < 1
    assert (share.abs() >= 1).double().mean() < 0.3


def test_no_classes_make_no_head():
    bundle = random_bundle(0, classes=0)
    assert bundle.head is None
    assert run_integer(bundle, [random_inputs(0, bundle, 3)])[1].shape == (1, 0)


def test_seed_decides():
    one, same, other = (random_bundle(seed) for seed in (1, 1, 2))
    assert np.array_equal(one.layers[0].input.values, same.layers[0].input.values)
    assert not np.array_equal(one.layers[0].input.values, other.layers[0].input.values)
    x, y = random_inputs(4, one, 6), random_inputs(4, one, 6)
    assert x.shape == (6, 5)
    assert np.array_equal(x, y)


@pytest.mark.parametrize("zeros", [0.0, 0.1, 0.8, 1.0])
def test_inputs_have_their_extremes_and_zeros(zeros):
    bundle = random_bundle(0)
    x = random_inputs(0, bundle, 400, zeros)
    assert np.mean(x == 0) == pytest.approx(zeros, abs=0.03)
    if zeros < 1:
        assert (x.min(), x.max()) == (-128, 127)
