"""The checks one by one, at both sides of each bound; ``test_golden.py`` has them at work on a whole program."""

import numpy as np
import pytest
from programs import Builder

from gatewright.cosim.program import check_reach, check_regions, check_vectors, live_ops, vector
from gatewright.errors import BundleError
from gatewright.hw.compiler.unpack import unpack_all
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Opcode

CONFIG = AcceleratorConfig(
    lanes=16,
    groups=2,
    cell_lanes=1,
    narrowest_weight=2,
    activation_depth=64,
    state_depth=40,
    alignment_bits=6,
)
"""Groups of 8 lanes; 4 vectors' words, 32 rows of accumulators in 4 banks, and 4 biases in a group."""
PLAIN = AcceleratorConfig(lanes=16, groups=2, cell_lanes=1, private=0)


def refusal(config, opcode, **arguments):
    """Give what is said of a program of one op, on an image of 6 words, 5 entries and 60 groups of biases."""
    builder = Builder(config)
    builder.weights = np.full((16, 6), 0x11, dtype=np.uint8)
    builder.indices = np.zeros((16, 6), dtype=np.uint32)
    builder.columns = np.array([[0, 2], [2, 4], [9, 0], [3, 1], [0, 0]])
    builder.biases = np.zeros((60, 4), dtype=np.int32)
    builder.op(opcode, **arguments)
    compiled = builder.compiled()
    ops = live_ops(compiled.image.program)
    try:
        check_reach(ops, compiled)
        check_vectors(ops, config)
        check_regions(ops, unpack_all(ops, compiled), config)
    except BundleError as error:
        return str(error)
    return ""


LEGAL_AND_NOT = [
    (Opcode.INPUT, {"destination": 3, "count": 16}, {"count": 17}, "activations up to 65, but there are 64"),
    (Opcode.OUTPUT, {"source": 2, "count": 32}, {"count": 33}, "activations up to 65, but there are 64"),
    (Opcode.OUTPUT, {"source": 9, "count": 0}, {"count": 1}, "activations up to 145, but there are 64"),
    (Opcode.MATVEC, {"columns": 32, "table": 0}, {"columns": 33}, "activations up to 66, but there are 64"),
    (
        Opcode.MATVEC,
        {"columns": 4, "private": 1},
        {"columns": 5},
        "activations up to 80, but there are 64",
    ),
    (Opcode.MATVEC, {"columns": 3, "words": 2}, {"weight_base": 1}, "weight words up to 7, but there are 6"),
    (
        Opcode.MATVEC,
        {"columns": 1, "words": 3, "sparse": 1, "index_base": 3},
        {"index_base": 5},
        "index words up to 8, but there are 6",
    ),
    (Opcode.MATVEC, {"columns": 3, "words": 2}, {"words": 3}, "weight words up to 9, but there are 6"),
    (
        Opcode.MATVEC,
        {"columns": 1, "words": 3, "weight_base": 3},
        {"words": 5},
        "weight words up to 8, but there are 6",
    ),
    # The largest end counts, and a column step without words has none.
    (Opcode.MATVEC, {"columns": 4, "table": 1}, {"weight_base": 1}, "weight words up to 7, but there are 6"),
    (
        Opcode.MATVEC,
        {"columns": 2, "table": 1, "table_base": 3},
        {"columns": 3},
        "entries of the column table up to 6, but there are 5",
    ),
    (Opcode.MATVEC, {"columns": 1, "shift": 6}, {"shift": 7}, "shifts by 7, .* the most is 6"),
    (Opcode.MATVEC, {"columns": 1, "private": 1}, {"shift": 1}, "shifts by 1, .* the most is 0"),
    (Opcode.MATVEC, {"columns": 1, "tail": 1}, {"tail": 2}, "step of 2 elements, .* than the 2 groups"),
    (Opcode.MATVEC, {"columns": 1, "tail": 1}, {"tail": 3}, "step of 3 elements, .* than the 2 groups"),
    (Opcode.MATVEC, {"columns": 1, "split": 2}, {"split": 3}, "has 8 weights in a word, .* has 4 banks"),
    # Two words of one weight are two rows, in four banks.
    (Opcode.MATVEC, {"columns": 1, "words": 2, "row": 28}, {"row": 30}, "row 30, .* not a multiple of 4"),
    (Opcode.MATVEC, {"columns": 1, "words": 5, "row": 24}, {"row": 28}, "row 28, .* not a multiple of 8"),
    (Opcode.MATVEC, {"columns": 1, "words": 2, "row": 28}, {"row": 32}, "rows up to 34, but there are 32"),
    (Opcode.CELL, {"groups": 30, "bias_base": 30}, {"bias_base": 31}, "bias groups up to 61, .* are 60"),
    (
        Opcode.CELL,
        {"groups": 20, "state_base": 20},
        {"state_base": 21},
        "state groups up to 41, but there are 40",
    ),
    # A group is half a row.
    (Opcode.CELL, {"groups": 8, "row": 28}, {"groups": 9}, "row 28, which is not a multiple of 8"),
    (Opcode.CELL, {"groups": 16, "row": 24}, {"row": 32, "groups": 1}, "rows up to 33, but there are 32"),
    (Opcode.REDUCE, {"count": 64}, {"count": 65}, "activations up to 65, but there are 64"),
    (Opcode.REDUCE, {"count": 256, "send": 1}, {"count": 257}, "rows up to 33, but there are 32"),
    (
        Opcode.REDUCE,
        {"count": 32, "send": 1, "private": 1},
        {"count": 33},
        "row.* up to 33, but there are 32",
    ),
    (
        Opcode.REDUCE,
        {"count": 32, "send": 1, "private": 1},
        {"row": 32},
        "rows up to 64, but there are 32",
    ),
    (
        Opcode.REDUCE,
        {"count": 8, "biased": 1, "bias_base": 58},
        {"count": 9},
        "bias groups up to 61, but there are 60",
    ),
    (
        Opcode.REDUCE,
        {"count": 8, "bias_base": 58},
        {"bias_base": 59, "biased": 1},
        "bias groups up to 61, but there are 60",
    ),
]


@pytest.mark.parametrize(("opcode", "legal", "change", "told"), LEGAL_AND_NOT)
def test_an_op_may_reach_the_end_and_no_further(opcode, legal, change, told):
    assert refusal(CONFIG, opcode, **legal) == ""
    with pytest.raises(BundleError, match=rf"^op 0 \({opcode.name}\) .*{told}"):
        raise BundleError(refusal(CONFIG, opcode, **legal | change))


def test_what_adds_to_no_row_may_begin_at_any():
    assert refusal(PLAIN, Opcode.MATVEC, columns=1, row=3) == ""
    assert "row 3, which is not a multiple of 2" in refusal(PLAIN, Opcode.MATVEC, columns=1, words=2, row=3)


def test_private_products_need_hardware_for_them():
    assert refusal(PLAIN, Opcode.MATVEC, columns=1) == ""
    assert "op 0 (MATVEC) is private" in refusal(PLAIN, Opcode.MATVEC, columns=1, private=1)


def overlaps(*vectors):
    """Give what is said of vectors: first words and elements."""
    builder = Builder(CONFIG)
    for first, elements in vectors:
        builder.op(Opcode.INPUT, destination=first, count=elements)
    try:
        check_vectors(builder.ops, CONFIG)
    except BundleError as error:
        return str(error)
    return ""


def test_vectors_may_touch_and_be_the_same_but_not_overlap():
    assert overlaps((0, 16), (1, 32), (3, 1), (1, 5), (0, 1)) == ""
    assert overlaps((0, 17), (1, 1)) == (
        "the vector of op 0 (INPUT) reaches activation word 1, but that of op 1 (INPUT) begins at word 1"
    )
    assert "of op 1 (INPUT) reaches activation word 2, but that of op 2" in overlaps((0, 1), (0, 33), (1, 4))
    assert overlaps((0, 33), (1, 0)) == ""


def test_vectors_of_ops():
    def of(opcode, **arguments):
        builder = Builder(CONFIG)
        builder.op(opcode, **arguments)
        return vector(builder.ops[0], CONFIG)

    assert of(Opcode.INPUT, destination=3, count=5) == (3, 5)
    assert of(Opcode.OUTPUT, source=3, count=5) == (3, 5)
    assert of(Opcode.MATVEC, source=3, columns=5) == (3, 10)
    assert of(Opcode.MATVEC, source=3, columns=5, private=1) == (3, 80)
    assert of(Opcode.CELL, destination=3, groups=5) == (3, 5)
    assert of(Opcode.REDUCE, destination=3, count=5) == (3, 5)
    assert of(Opcode.REDUCE, destination=3, count=5, send=1) == (3, 0)
