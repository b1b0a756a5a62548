import numpy as np
import pytest
from programs import Builder

from gatewright.hw.compiler.pack import pack
from gatewright.hw.compiler.unpack import step_words, unpack_all
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Opcode
from gatewright.sw.bundle import Matrix
from gatewright.sw.numbers import Fixed

CONFIG = AcceleratorConfig(lanes=8, groups=2, cell_lanes=1, narrowest_weight=2)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("mode", ["dense", "sparse"])
@pytest.mark.parametrize("density", [0.0, 0.4, 1.0])
def test_unpacking_is_the_inverse_of_packing(bits, mode, density):
    """Behind another matrix, whose words are passed over. A row of a group is 4 of the matrix's rows."""
    rng = np.random.default_rng(bits)
    builder = Builder(CONFIG)
    for _ in range(2):
        values = rng.integers(-(1 << bits - 1), 1 << bits - 1, (20, 6)) * (rng.random((20, 6)) < density)
        packed = pack(Matrix(values, Fixed(bits, 0)), CONFIG, gates=False, private=False, mode=mode)
        builder.matvec(packed, source=0)
    builder.op(Opcode.OUTPUT, source=0, count=1)
    compiled = builder.compiled()
    _, found, none = unpack_all(list(compiled.image.program), compiled)
    assert none is None
    assert (found.weights.dtype, len(found.starts)) == (np.int8, 4)
    rebuilt = np.zeros((24 + 8, 6), dtype=int)
    for step in range(3):
        for place in range(found.starts[step], found.starts[step + 1]):
            for lane in range(8):
                row = place - found.starts[step] if mode == "dense" else found.targets[place, lane]
                rebuilt[4 * row + lane % 4, 2 * step + lane // 4] += found.weights[place, lane]
    assert np.array_equal(rebuilt[:20], values)
    assert not rebuilt[20:].any()
    if mode == "dense":
        # Five rows, in whole words.
        assert found.region == {2: 8, 4: 6, 8: 5}[bits]
    else:
        assert found.region == 1 + np.flatnonzero(values.any(axis=1)).max(initial=-4) // 4


def test_ops_that_read_the_same_words_share_them():
    builder = Builder(CONFIG)
    packed = pack(
        Matrix(np.ones((4, 2), dtype=int), Fixed(8, 0)), CONFIG, gates=False, private=False, mode="dense"
    )
    builder.matvec(packed, source=0)
    builder.op(Opcode.MATVEC, **builder.ops[0].arguments | {"source": 3, "row": 8})
    compiled = builder.compiled()
    one, other = unpack_all(list(compiled.image.program), compiled)
    assert one is other


def test_words_of_column_steps():
    builder = Builder(CONFIG)
    builder.columns = np.array([[5, 1], [0, 3], [4, 0], [9, 9]])
    builder.op(Opcode.MATVEC, columns=3, words=4)
    builder.op(Opcode.MATVEC, columns=2, table=1, table_base=1)
    even, given = (
        [each.tolist() for each in step_words(op.arguments, builder.compiled().image)] for op in builder.ops
    )
    assert even == [[0, 4, 8], [4, 4, 4]]
    assert given == [[0, 4], [3, 0]]


def test_words_are_read_where_the_table_says():
    builder = Builder(CONFIG)
    builder.weights = np.tile(np.arange(7, dtype=np.uint8), (8, 1))
    builder.columns = np.array([[3, 2], [0, 1], [1, 3], [5, 0], [0, 2]])
    builder.op(Opcode.MATVEC, columns=5, table=1, weight_base=1)
    compiled = builder.compiled()
    (found,) = unpack_all(list(compiled.image.program), compiled)
    assert found.weights[:, 5].tolist() == [4, 5, 1, 2, 3, 4, 1, 2]
    assert found.starts.tolist() == [0, 2, 3, 6, 6, 8]
