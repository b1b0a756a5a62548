import numpy as np
import pytest

from gatewright.errors import ConfigError
from gatewright.hw.compiler.pack import pack
from gatewright.hw.config import AcceleratorConfig
from gatewright.sw.bundle import Matrix
from gatewright.sw.numbers import Fixed

CONFIG = AcceleratorConfig(lanes=16, groups=2, cell_lanes=1, narrowest_weight=2)
NO_TABLE = AcceleratorConfig(lanes=16, groups=2, cell_lanes=1, narrowest_weight=2, column_depth=0)


def matrix(rows, columns, bits=8, density=1.0, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.integers(-(1 << bits - 1), 1 << bits - 1, (rows, columns))
    values[values == 0] = -1
    return Matrix(values * (rng.random((rows, columns)) < density), Fixed(bits, 0))


def step_words(packed):
    """Offset and count of every column step."""
    if packed.table is not None:
        return packed.table.tolist()
    return [(packed.words * k, packed.words) for k in range(packed.columns)]


def entries(packed, config):
    """Give every stored weight as lane, column step, accumulator row and value."""
    slots = 1 << packed.split
    bits, width = 8 // slots, config.slot_index_bits(slots)
    for k, (offset, count) in enumerate(step_words(packed)):
        for lane in range(config.lanes):
            for n in range(count):
                word = int(packed.weights[lane, offset + n])
                place = int(packed.indices[lane, offset + n]) if packed.sparse else 0
                for s in range(slots):
                    value = word >> bits * s & (1 << bits) - 1
                    value -= value >> (bits - 1) << bits
                    index = place >> width * s & (1 << width) - 1 if packed.sparse else n
                    yield lane, k, slots * index + s, value


def rebuild(packed, config, shape, gates):
    """Put the stored weights back, each at the matrix row and column that its lane, step and accumulator row mean."""
    full = np.zeros((shape[0] + 1000, shape[1] + config.lanes), dtype=int)
    units = shape[0] // 4
    for lane, k, row, value in entries(packed, config):
        group, place = divmod(lane, config.group_lanes)
        column = k * config.lanes + lane if packed.private else k * config.groups + group
        if packed.private:
            target = row
        elif gates:
            unit = place // 4 + row * config.quads
            target = (place % 4) * units + unit if unit < units else shape[0]
        else:
            target = place + row * config.group_lanes
        full[target, column] += value
    assert not full[shape[0] :].any()
    assert not full[:, shape[1] :].any()
    return full[: shape[0], : shape[1]]


@pytest.mark.parametrize("config", [CONFIG, NO_TABLE], ids=["table", "no table"])
@pytest.mark.parametrize("mode", ["dense", "sparse"])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("kind", ["gates", "plain", "private"])
def test_keeps_every_weight(kind, bits, density, mode, config):
    given = matrix(4 * 11 if kind == "gates" else 21, 19, bits, density)
    packed = pack(given, config, gates=kind == "gates", private=kind == "private", mode=mode)
    assert (packed.columns, packed.tail) == ((2, 0) if kind == "private" else (10, 1))
    assert 1 << packed.split == 8 // bits
    assert packed.cycles == sum(count for _, count in step_words(packed))
    assert packed.weights.shape == (16, packed.cycles)
    assert packed.indices.shape == (16, packed.cycles if mode == "sparse" else 0)
    assert (packed.weights.dtype, packed.indices.dtype) == (np.uint8, np.uint32)
    np.testing.assert_array_equal(rebuild(packed, config, given.values.shape, kind == "gates"), given.values)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_sparse_steps_have_the_words_of_the_fullest_slot(bits):
    given = matrix(4 * 30, 7, bits, density=0.2)
    packed = pack(given, CONFIG, gates=True, private=False, mode="sparse")
    fullest = np.zeros((packed.columns, CONFIG.lanes, 1 << packed.split), dtype=int)
    for lane, k, row, value in entries(packed, CONFIG):
        fullest[k, lane, row % (1 << packed.split)] += value != 0
    assert packed.table[:, 1].tolist() == fullest.max(axis=(1, 2)).tolist()
    assert packed.words == 0


def test_sparse_rows_ascend_before_the_padding():
    packed = pack(matrix(4 * 30, 7, density=0.5), CONFIG, gates=True, private=False, mode="sparse")
    for offset, count in step_words(packed):
        for lane in range(CONFIG.lanes):
            words = slice(offset, offset + count)
            kept = np.count_nonzero(packed.weights[lane, words])
            rows = packed.indices[lane, words].tolist()
            assert rows == sorted(set(rows[:kept])) + [0] * (count - kept)


def test_columns_that_differ_take_a_table_or_padding():
    values = np.zeros((4 * 4, 8), dtype=int)
    values[:8, 2:4] = 5
    values[0, 6] = 7
    given = Matrix(values, Fixed(8, 0))
    config = AcceleratorConfig(lanes=8, groups=2, cell_lanes=1, narrowest_weight=2)
    packed = pack(given, config, gates=True, private=False, mode="sparse")
    assert packed.table.tolist() == [[0, 0], [0, 4], [0, 0], [4, 1]]
    assert packed.cycles == 5
    padded = pack(
        given, AcceleratorConfig(lanes=8, groups=2, cell_lanes=1, narrowest_weight=2, column_depth=0),
        gates=True, private=False, mode="sparse",
    )  # fmt: skip
    assert (padded.table, padded.words, padded.cycles) == (None, 4, 16)


def test_balanced_columns_need_no_table():
    values = np.zeros((4 * 8, 6), dtype=int)
    values[::2] = 3
    packed = pack(Matrix(values, Fixed(8, 0)), CONFIG, gates=True, private=False, mode="sparse")
    assert (packed.table, packed.words, packed.cycles) == (None, 4, 12)


@pytest.mark.parametrize(("columns", "steps", "tail"), [(1, 1, 1), (2, 1, 0), (3, 2, 1), (4, 2, 0)])
def test_the_last_step_has_the_columns_that_are_left(columns, steps, tail):
    for mode in ("dense", "sparse"):
        packed = pack(matrix(16, columns), CONFIG, gates=True, private=False, mode=mode)
        assert (packed.columns, packed.tail) == (steps, tail)
        assert (packed.table, packed.words) == (None, 2)


def test_narrow_weights_take_the_narrowest_width_of_the_accelerator():
    config = AcceleratorConfig(lanes=16, cell_lanes=1, narrowest_weight=4)
    given = matrix(16, 3, bits=2)
    packed = pack(given, config, gates=False, private=False, mode="dense")
    assert packed.split == 1
    np.testing.assert_array_equal(rebuild(packed, config, given.values.shape, gates=False), given.values)


@pytest.mark.parametrize(
    ("units", "bits", "mode", "rows"),
    [
        (2, 8, "dense", 4),
        (11, 8, "dense", 6),
        (11, 8, "sparse", 6),
        (34, 8, "dense", 17),
        (33, 2, "dense", 20),
        (65, 2, "sparse", 36),
    ],
)
def test_regions_hold_every_bank_and_the_padding(units, bits, mode, rows):
    packed = pack(matrix(4 * units, 3, bits), CONFIG, gates=True, private=False, mode=mode)
    assert packed.rows == rows


def test_private_needs_a_row_for_every_matrix_row():
    assert pack(matrix(21, 3), CONFIG, gates=False, private=True, mode="dense").rows == 21


def test_refuses_sparse_without_index_memories():
    config = AcceleratorConfig(index_depth=0, column_depth=0)
    with pytest.raises(ConfigError, match="index_depth"):
        pack(matrix(16, 3), config, gates=False, private=False, mode="sparse")


def test_refuses_private_gates():
    with pytest.raises(ConfigError, match="gate matrix cannot be private"):
        pack(matrix(16, 3), CONFIG, gates=True, private=True, mode="dense")
