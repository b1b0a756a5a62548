import numpy as np
import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.energy import CELL_CHORDS, CELL_PRODUCTS, Work, op_work, total
from gatewright.hw.memories import activation_copies

INPUTS, HIDDEN, CLASSES, LANES, CELL_LANES = 12, 32, 3, 8, 2
ROWS = 4 * HIDDEN


def works(mode, bits=8, **config):
    """What each op does, by its name and its place among those of that name."""
    bundle = random_bundle(
        3, inputs=INPUTS, hidden=HIDDEN, classes=CLASSES, kept=1, lanes=LANES, weight_bits=bits
    )
    config = smallest_config([(bundle, mode)], lanes=LANES, **{"cell_lanes": CELL_LANES} | config)
    compiled = compile_bundle(bundle, config, mode=mode)
    found = {op.name: work for op, work in zip(compiled.image.program, op_work(compiled), strict=True)}
    return bundle, compiled, found


def test_a_dense_product_reads_each_weight_once():
    """Every product reads and writes a sum; a column step reads one activation; the op itself is a word."""
    bundle, _, found = works("dense")
    weights = ROWS * HIDDEN
    useful = int(np.count_nonzero(bundle.layers[0].recurrent.values))
    assert found["layer0.recurrent"] == Work(1 + 2 * weights + HIDDEN, weights, weights, useful)


def test_narrow_weights_share_a_word():
    _, _, found = works("dense", bits=2)
    weights = ROWS * HIDDEN
    assert found["layer0.recurrent"].read == 1 + weights // 4 + weights + HIDDEN
    assert found["layer0.recurrent"].products == weights


def test_a_sparse_product_reads_indices_and_leaves_zeros_out():
    bundle, compiled, found = works("sparse")
    dense = works("dense")[2]["layer0.recurrent"]
    work = found["layer0.recurrent"]
    assert work.useful == int(np.count_nonzero(bundle.layers[0].recurrent.values)) == dense.useful
    assert work.useful <= work.products < dense.products
    (op,) = [op for op in compiled.image.program if op.name == "layer0.recurrent"]
    assert work.read == 1 + 3 * work.products + HIDDEN * (1 + op.arguments["table"])


def test_the_cell_unit_and_the_ports():
    """A unit has four sums with biases, a state, five chords and eight products, and is written to every copy."""
    _, compiled, found = works("dense")
    copies = len(activation_copies(compiled.config))
    assert found["input"] == Work(read=1, written=INPUTS * copies)
    assert found["layer0.cell"] == Work(
        1 + (4 + 4 + 1 + CELL_CHORDS) * HIDDEN,
        (4 + 1 + copies) * HIDDEN,
        CELL_PRODUCTS * HIDDEN,
        CELL_PRODUCTS * HIDDEN,
    )
    sums = CLASSES * (LANES if compiled.image.program[-1].arguments["private"] else 1)
    assert found["head.results"] == Work(read=1 + sums + CLASSES, written=sums)


def test_groups_keep_partial_sums():
    whole, parted = (works("dense", groups=groups, cell_lanes=1)[2]["layer0.cell"] for groups in (1, 2))
    assert parted.written - whole.written == 4 * HIDDEN


@pytest.mark.parametrize("count", [0, 3])
def test_total(count):
    assert total([Work(1, 2, 3, 4)] * count) == Work(count, 2 * count, 3 * count, 4 * count)
