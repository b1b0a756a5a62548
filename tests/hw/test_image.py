import json
from dataclasses import replace

import numpy as np
import pytest
from stored import stored

from gatewright.errors import BundleError
from gatewright.hw.compiler.image import Compiled, Image
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import Region
from gatewright.hw.ops import ARGUMENTS, Op, Opcode, When
from gatewright.storage import write_npz
from gatewright.sw.numbers import Fixed

CONFIG = AcceleratorConfig(lanes=8, cell_lanes=1, narrowest_weight=2, accumulator_rows=16, weight_depth=1024)

BIASES = np.array([[-1, 2, -(1 << 23), (1 << 23) - 1], [5, -6, 7, 0]], dtype=np.int32)


def example(**changes):
    rng = np.random.default_rng(0)
    image = Image(
        weights=rng.integers(0, 256, (8, 5)).astype(np.uint8),
        indices=rng.integers(0, 256, (8, 3)).astype(np.uint32),
        columns=np.array([[0, 2], [2, 0], [2, 3]]),
        biases=rng.integers(-(1 << 31), 1 << 31, (2, 4)).astype(np.int32),
        program=(
            Op(Opcode.INPUT, {"destination": 3, "count": 5}, When.NOT_LAST, name="input"),
            Op(Opcode.MATVEC, dict.fromkeys(ARGUMENTS[Opcode.MATVEC], 1)),
            Op(Opcode.OUTPUT, {"source": 1, "count": 4}, end=True),
        ),
    )
    values = {
        "config": CONFIG,
        "image": image,
        "input_size": 5,
        "output_size": 2,
        "classes": 3,
        "input_format": Fixed(8, 5),
        "hidden_results": "all",
        "logit_results": "last",
        "macs": {"input": 100, "recurrent": 10, "head": 7},
    }
    return Compiled(**values | changes)


def test_load_words_name_every_memory_word_once():
    image = example().image
    words = image.load_words()
    assert words.dtype == np.uint32
    memory = dict(words.tolist())
    assert len(memory) == len(words) == 8 * 5 + 8 * 3 + 2 * 3 + 2 * 4 + 3 * 4

    def stored(region, lane, offset):
        return memory[region << 28 | lane << 16 | offset]

    assert stored(Region.WEIGHT, 7, 4) == image.weights[7, 4]
    assert stored(Region.INDEX, 2, 1) == image.indices[2, 1]
    assert [stored(Region.COLUMN, field, 2) for field in (0, 1)] == [2, 3]
    assert stored(Region.BIAS, 3, 1) == int(image.biases[1, 3]) % (1 << 32)
    for place, op in enumerate(image.program):
        quarters = [stored(Region.PROGRAM, quarter, place) for quarter in range(4)]
        assert sum(q << 32 * k for k, q in enumerate(quarters)) == op.encode()


def test_stored_bits_count_every_word():
    # 16 rows: an index word holds four indices of 2 bits, two of 3 bits or one of 4 bits.
    assert example().image.stored_bits(CONFIG) == {
        "weight": 8 * 5 * 8,
        "index": 8 * 3 * 8,
        "column": 3 * (10 + 5),
        "bias": 8 * 32,
        "program": 3 * 128,
    }


def side_by_side(parts, width):
    """Give one word as an integer: its parts from bit 0 up, in two's complement."""
    digits = [f"{int(part) % (1 << width):0{width}b}" for part in reversed(parts)]
    return int("".join(digits), 2)


@pytest.mark.parametrize("single_port", [0, 1])
def test_memories_that_are_not_loaded_begin_with_every_word(single_port):
    """Biases are narrower than they are stored; with one port, a word holds what all lanes have."""
    config = replace(CONFIG, accumulator_bits=24, single_port=single_port)
    compiled = example(config=config, image=replace(example().image, biases=BIASES))
    image, found = compiled.image, compiled.image.contents(config)
    assert list(found) == ["weight", "index", "column", "bias", "program"]
    for name, words in (("weight", image.weights), ("index", image.indices)):
        if single_port:
            assert found[name] == [[side_by_side(word, 8) for word in words.T]]
        else:
            assert found[name] == words.tolist()
    assert found["column"] == [[0, 2, 2], [2, 0, 3]]
    assert found["bias"] == [[side_by_side(group, 24) for group in BIASES]]
    assert found["program"] == [[op.encode() for op in image.program]]


@pytest.mark.parametrize(
    ("hidden", "logits", "order"),
    [
        ("all", "none", "hh hh hh"),
        ("none", "last", "lll"),
        ("none", "all", "lll lll lll"),
        ("last", "last", "hh lll"),
        ("all", "last", "hh hh hh lll"),
        ("last", "all", "lll lll hh lll"),
        ("all", "all", "hh lll hh lll hh lll"),
    ],
)
def test_results_are_split_by_kind(hidden, logits, order):
    compiled = example(hidden_results=hidden, logit_results=logits)
    kinds = np.array(list(order.replace(" ", "")))
    assert compiled.result_count(3) == len(kinds)
    vectors, scores = compiled.split_results(np.arange(len(kinds)), 3)
    assert vectors.shape == ({"none": 0, "last": 1, "all": 3}[hidden], 2)
    assert scores.shape == ({"none": 0, "last": 1, "all": 3}[logits], 3)
    assert vectors.ravel().tolist() == np.flatnonzero(kinds == "h").tolist()
    assert scores.ravel().tolist() == np.flatnonzero(kinds == "l").tolist()


def test_results_without_a_head():
    compiled = example(classes=0, logit_results="none")
    vectors, scores = compiled.split_results(np.arange(4), 2)
    assert vectors.tolist() == [[0, 1], [2, 3]]
    assert scores.shape == (0, 0)


@pytest.mark.parametrize(
    ("logits", "fresh", "macs"), [("none", True, 320), ("last", True, 327), ("all", False, 351)]
)
def test_useful_macs(logits, fresh, macs):
    compiled = example(logit_results=logits)
    assert compiled.useful_macs(3, fresh) == macs
    assert compiled.useful_macs(3) == compiled.useful_macs(3, fresh=True)


def test_save_and_load(tmp_path):
    compiled = example()
    compiled.save(tmp_path / "c.npz")
    loaded = Compiled.load(tmp_path / "c.npz")
    for name in ("weights", "indices", "columns", "biases"):
        given, found = getattr(compiled.image, name), getattr(loaded.image, name)
        assert found.dtype == given.dtype
        np.testing.assert_array_equal(found, given)
    assert loaded.image.program == compiled.image.program
    assert [op.name for op in loaded.image.program] == ["input", "", ""]
    assert replace(loaded, image=compiled.image) == compiled
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]


def test_files_say_their_version_and_older_ones_have_no_names(tmp_path):
    path = tmp_path / "c.npz"
    example().save(path)
    meta, arrays = stored(path)
    assert meta["version"] == 3
    assert meta.pop("op_names") == ["input", "", ""]
    write_npz(path, meta, arrays)
    program = Compiled.load(path).image.program
    assert program == example().image.program
    assert not any(op.name for op in program)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"input_size": 0}, "input_size must be at least 1, not 0"),
        ({"output_size": -1}, "output_size must be at least 1"),
        ({"classes": -1}, "classes must be at least 0"),
        ({"classes": 0}, "without a head"),
        ({"hidden_results": True}, "hidden_results must be one of"),
        ({"logit_results": "each"}, "logit_results must be one of"),
        ({"macs": {"input": 1}}, "macs must be"),
        ({"macs": {"input": 1, "recurrent": -1, "head": 1}}, "macs must be"),
    ],
)
def test_values_out_of_range_are_refused(changes, what):
    with pytest.raises(BundleError, match=what):
        example(**changes)


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("weights", np.zeros((8, 5), np.int64), "weights must be uint8, not int64"),
        ("weights", np.zeros((8, 1025), np.uint8), "weights must be at most 1024 words of 8 lanes"),
        ("weights", np.zeros((7, 5), np.uint8), "weights must be at most"),
        ("indices", np.zeros((8, 5), np.uint16), "indices must be uint32"),
        ("indices", np.zeros(8, np.uint32), "indices must be at most"),
        ("indices", np.full((8, 5), 256, np.uint32), "indices must fit 8 bits, but one is 256"),
        ("columns", np.zeros((3, 3), np.int64), "columns must be at most 256 words of 2 lanes"),
        ("columns", np.array([[1024, 1]]), "columns must have offsets from 0 to 1023 and counts from 0 to 16"),
        ("columns", np.array([[0, 17]]), "columns must have offsets"),
        ("columns", np.array([[-1, 1]]), "columns must have offsets"),
        ("biases", np.zeros((129, 4), np.int32), "biases must be at most 128 words of 4 lanes"),
        ("program", (), "program must have 1 to 32 ops, not 0"),
        ("program", 33 * example().image.program[2:], "program must have 1 to 32 ops, not 33"),
    ],
)  # fmt: skip
def test_images_beyond_the_memories_are_refused(name, values, what):
    with pytest.raises(BundleError, match=what):
        example(image=replace(example().image, **{name: values}))


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "c.npz"
    with pytest.raises(BundleError, match=r"c\.npz: no such file"):
        Compiled.load(path)
    example().save(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BundleError, match=r"c\.npz: not a compiled model"):
        Compiled.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"program": ["no op"]},
        {"program": ["0xf"]},
        {"program": 5},
        {"op_names": ["input", "b"]},
        {"op_names": ["input", 5, "c"]},
        {"classes": None},
        {"more": 1},
        {"config": {"lanes": 3}},
        {"config": [4]},
        {"input_format": {"bits": 99, "frac": 0}},
        {"input_format": None},
        {"macs": ["input", "recurrent", "head"]},
        {"macs": {"input": "a", "recurrent": 1, "head": 1}},
        {"hidden_results": ["all"]},
        {"version": 2},
        {"modes": {"policy": "xor", "forms": {}, "input_threshold": 0}},
        {"modes": {"policy": "or", "forms": {}, "input_threshold": 257}},
        {"modes": {"policy": "or", "forms": {"head": 1}, "input_threshold": 0}},
        {"modes": None},
    ],
    ids=json.dumps,
)
def test_malformed_meta_data_is_refused(tmp_path, change):
    path = tmp_path / "c.npz"
    example().save(path)
    meta, arrays = stored(path)
    write_npz(path, meta | change, arrays)
    with pytest.raises(BundleError, match=r"c\.npz: "):
        Compiled.load(path)


@pytest.mark.parametrize("name", ["weights", "indices", "columns", "biases"])
def test_malformed_arrays_are_refused(tmp_path, name):
    path = tmp_path / "c.npz"
    example().save(path)
    meta, arrays = stored(path)
    for broken in ({k: v for k, v in arrays.items() if k != name}, arrays | {name: np.array(["text"])}):
        write_npz(path, meta, broken)
        with pytest.raises(BundleError, match=r"c\.npz: "):
            Compiled.load(path)
