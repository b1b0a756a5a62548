import numpy as np
import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import BundleError, CapacityError, ConfigError, GatewrightError
from gatewright.hw.compiler import Compiled, compile_bundle, smallest_config
from gatewright.hw.compiler.pack import pack
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import Region
from gatewright.hw.ops import Op, Opcode, Unit, When
from gatewright.storage import read_npz, write_npz
from gatewright.sw.bundle import Matrix
from gatewright.sw.numbers import Fixed
from gatewright.sw.rows import gate_rows, plain_rows

CONFIG = AcceleratorConfig(lanes=8, cell_lanes=2)


def unpack(packed, placement, rows):
    """Rebuild a matrix from packed words, entry by entry."""
    values = np.zeros((rows, packed.columns), dtype=int)
    for r, (lane, row) in enumerate(zip(*placement, strict=True)):
        for column in range(packed.columns):
            for k in range(packed.entries):
                word = column * packed.entries + k
                target = packed.indices[lane, word] if packed.mode == "sparse" else k
                if target == row:
                    values[r, column] += np.int8(packed.weights[lane, word])
    return values


@pytest.mark.parametrize("mode", ["dense", "sparse"])
@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("kind", ["gates", "plain"])
def test_packing_keeps_every_weight(mode, density, kind):
    rng = np.random.default_rng(5)
    rows = 4 * 7 if kind == "gates" else 11
    placement = gate_rows(7, 8) if kind == "gates" else plain_rows(11, 8)
    values = rng.integers(-128, 128, (rows, 5)) * (rng.random((rows, 5)) < density)
    packed = pack(Matrix(values, Fixed(8, 7)), placement, 8, mode)
    assert packed.weights.shape == (8, packed.columns * packed.entries)
    np.testing.assert_array_equal(unpack(packed, placement, rows), values)


def test_balanced_patterns_need_no_padding():
    bundle = random_bundle(1, hidden=16, kept=2, lanes=8)
    placement = gate_rows(16, 8)
    packed = pack(bundle.layers[0].recurrent, placement, 8, "sparse")
    assert packed.entries == 2


def test_a_program_is_one_step_and_skips_what_need_not_run():
    program = compile_bundle(
        random_bundle(1, layers=2), CONFIG, mode="sparse", hidden_results=True
    ).image.program
    assert [op.opcode for op in program] == [
        Opcode.INPUT, Opcode.MATVEC, Opcode.MATVEC, Opcode.CELL, Opcode.MATVEC, Opcode.MATVEC, Opcode.CELL,
        Opcode.OUTPUT, Opcode.MATVEC, Opcode.LOGITS,
    ]  # fmt: skip
    assert [op.end for op in program] == [False] * 9 + [True]
    assert program[2].when == program[5].when == When.CARRIED
    assert program[8].when == program[9].when == When.LAST
    for op in program:
        if op.opcode in (Opcode.CELL, Opcode.LOGITS):
            assert Unit.MATRIX in op.wait
        if op.opcode == Opcode.MATVEC:
            assert Unit.DRAIN in op.wait


def test_vectors_do_not_overlap():
    program = compile_bundle(random_bundle(1, inputs=3, hidden=5), CONFIG, mode="dense").image.program
    assert program[0].arguments == {"destination": 0, "count": 3}
    assert program[3].arguments["destination"] == 4
    assert program[1].arguments["source"] == 0
    assert program[2].arguments["source"] == program[4].arguments["source"] == 4


def test_biases_are_in_drain_order():
    bundle = random_bundle(2, hidden=5, classes=3)
    biases = compile_bundle(bundle, CONFIG, mode="dense").image.biases
    lstm = bundle.layers[0].bias.reshape(4, 5)
    np.testing.assert_array_equal(biases[1], np.concatenate([lstm[:, 2], lstm[:, 3]]))
    np.testing.assert_array_equal(biases[2], np.concatenate([lstm[:, 4], np.zeros(4)]))
    np.testing.assert_array_equal(biases[3], np.concatenate([bundle.head.bias, np.zeros(5)]))


def test_load_words_name_every_memory_word_once():
    image = compile_bundle(random_bundle(3, kept=1), CONFIG, mode="sparse").image
    words = image.load_words()
    assert words.dtype == np.uint32
    assert len(np.unique(words[:, 0])) == len(words)
    regions = words[:, 0] >> 28
    counts = {Region(r): int(n) for r, n in zip(*np.unique(regions, return_counts=True), strict=True)}
    assert counts == {
        Region.PROGRAM: 4 * len(image.program),
        Region.WEIGHT: image.weights.size,
        Region.INDEX: image.indices.size,
        Region.BIAS: image.biases.size,
    }
    program = words[regions == Region.PROGRAM]
    quarters = {(a >> 16 & 0xFFF, a & 0xFFFF): int(d) for a, d in program.tolist()}
    word = sum(quarters[quarter, 1] << 32 * quarter for quarter in range(4))
    assert Op.decode(word) == image.program[1]


def test_stored_bits_count_padding_and_indices():
    config = AcceleratorConfig(lanes=8, cell_lanes=2, accumulator_rows=8)
    compiled = compile_bundle(random_bundle(3, inputs=5, hidden=12, kept=1), config, mode="sparse")
    bits = compiled.image.stored_bits(config)
    assert bits["weight"] == 8 * 8 * (5 + 12 + 12)
    assert bits["index"] == 8 * 3 * (5 + 12)
    assert bits["bias"] == 32 * 8 * (6 + 1)


def test_results_are_split():
    compiled = compile_bundle(
        random_bundle(3, hidden=4, classes=3), CONFIG, mode="dense", hidden_results=True
    )
    assert compiled.result_count(2) == 11
    hidden, logits = compiled.split_results(np.arange(11), 2)
    assert hidden.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert logits.tolist() == [8, 9, 10]


def test_useful_work_is_the_non_zeros():
    bundle = random_bundle(3, inputs=5, hidden=12, kept=1)
    by_part = [np.count_nonzero(m.values) for m in (bundle.layers[0].input, bundle.layers[0].recurrent)]
    assert compile_bundle(bundle, CONFIG, mode="dense").useful_macs(3) == 3 * by_part[0] + 2 * by_part[1]


def test_save_and_load(tmp_path):
    compiled = compile_bundle(random_bundle(3, kept=1), CONFIG, mode="sparse")
    compiled.save(tmp_path / "c.npz")
    loaded = Compiled.load(tmp_path / "c.npz")
    assert loaded.config == compiled.config
    np.testing.assert_array_equal(loaded.image.load_words(), compiled.image.load_words())
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "c.npz"
    with pytest.raises(BundleError, match="no such file"):
        Compiled.load(path)
    random_bundle(1).save(path)
    with pytest.raises(BundleError, match="not a complete compiled model"):
        Compiled.load(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BundleError, match="not a compiled model"):
        Compiled.load(path)


@pytest.mark.parametrize(
    "change", [{"program": ["no op"]}, {"classes": None, "more": 1}, {"config": {"lanes": 3}}]
)
def test_malformed_meta_data_is_refused(tmp_path, change):
    path = tmp_path / "c.npz"
    compile_bundle(random_bundle(1), CONFIG, mode="dense").save(path)
    meta, arrays = read_npz(path, "compiled model", 1)
    write_npz(path, meta | change, arrays)
    with pytest.raises(GatewrightError):
        Compiled.load(path)


def test_a_model_that_does_not_fit_says_by_how_much():
    with pytest.raises(
        CapacityError, match=r"weight_depth: needs 5,350 words per lane, has 4,096 \(1,254 too few\)"
    ):
        compile_bundle(random_bundle(2, hidden=100), CONFIG, mode="dense")


def test_a_model_beyond_every_accelerator_is_refused():
    bundle = random_bundle(2, inputs=2, hidden=520, lanes=4)
    with pytest.raises(CapacityError, match="too large for any accelerator"):
        smallest_config([(bundle, "dense")], lanes=4, cell_lanes=1)


def test_the_smallest_config_holds_the_bundle():
    bundle = random_bundle(2, hidden=40, kept=3)
    config = smallest_config([(bundle, "dense"), (bundle, "sparse")], lanes=8, cell_lanes=2)
    for mode in ("dense", "sparse"):
        compile_bundle(bundle, config, mode=mode, hidden_results=True)
    half = {**config.to_json(), "weight_depth": config.weight_depth // 2}
    with pytest.raises(CapacityError, match="weight_depth"):
        compile_bundle(bundle, AcceleratorConfig(**half), mode="dense")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "fast"}, "mode must be"),
        ({"mode": "dense", "logit_results": False}, "at least one"),
    ],
)
def test_wrong_requests_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        compile_bundle(random_bundle(1), CONFIG, **arguments)


def test_activation_widths_must_agree():
    with pytest.raises(ConfigError, match="16 bits, the accelerator's 8"):
        compile_bundle(random_bundle(1, activation_bits=16, frac=3), CONFIG, mode="dense")
