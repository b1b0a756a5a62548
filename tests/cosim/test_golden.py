from dataclasses import replace

import numpy as np
import pytest

from gatewright.cosim.golden import Golden
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import BundleError, DataError
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Op, Opcode, When
from gatewright.sw.numbers import reference


def check_against_reference(bundle, compiled, x):
    hidden, logits = compiled.split_results(Golden(compiled).run(x), len(x))
    expected = reference.run(bundle, x.tolist())
    assert hidden.tolist() == expected.hidden
    assert logits.tolist() == expected.logits


@pytest.mark.parametrize("mode", ["dense", "sparse"])
@pytest.mark.parametrize(
    ("lanes", "cell_lanes", "hidden", "layers", "activation_bits", "kept"),
    [
        (8, 2, 12, 1, 8, None),
        (8, 1, 13, 1, 8, 2),
        (4, 1, 3, 2, 8, 1),
        (16, 4, 30, 2, 8, 3),
        (8, 2, 9, 1, 16, 2),
        (8, 2, 9, 2, 16, None),
    ],
)
def test_reference(mode, lanes, cell_lanes, hidden, layers, activation_bits, kept):
    bundle = random_bundle(
        hidden,
        inputs=5,
        hidden=hidden,
        kept=kept,
        lanes=lanes,
        layers=layers,
        activation_bits=activation_bits,
    )
    config = AcceleratorConfig(lanes=lanes, cell_lanes=cell_lanes, activation_bits=activation_bits)
    compiled = compile_bundle(bundle, config, mode=mode, hidden_results=True)
    check_against_reference(bundle, compiled, random_inputs(1, bundle, 6))


@pytest.mark.parametrize("value", [-128, 0, 127])
def test_reference_at_extremes(bundle, compiled, value):
    check_against_reference(bundle, compiled["sparse"], np.full((9, bundle.input_size), value))


def test_only_logits(bundle, config, sequences):
    compiled = compile_bundle(bundle, config, mode="dense")
    x = sequences[1]
    assert Golden(compiled).run(x).tolist() == reference.run(bundle, x.tolist()).logits


def test_state_is_carried_over(bundle, compiled):
    x = random_inputs(5, bundle, 8)
    whole, pieces = Golden(compiled["dense"]), Golden(compiled["dense"])
    hidden, logits = compiled["dense"].split_results(whole.run(x), 8)
    first, _ = compiled["dense"].split_results(pieces.run(x[:3]), 3)
    second, last = compiled["dense"].split_results(pieces.run(x[3:], fresh=False), 5)
    assert np.array_equal(np.concatenate([first, second]), hidden)
    assert np.array_equal(last, logits)


def test_fresh_run_forgets(bundle, compiled):
    golden = Golden(compiled["sparse"])
    x = random_inputs(6, bundle, 4)
    expected = golden.run(x)
    golden.run(random_inputs(7, bundle, 5))
    assert np.array_equal(golden.run(x), expected)


def test_multiply_accumulates(compiled, bundle, config):
    # 13 units on 2 quads: 7 rows; the head is one row of columns.
    rows, steps = 7, 5
    dense = config.lanes * rows * (bundle.input_size * steps + 13 * (steps - 1)) + config.lanes * 13
    assert Golden(compiled["dense"]).multiply_accumulates(steps) == dense


def with_op(compiled, opcode, **changes):
    """The same model with other arguments in the first op of an opcode."""
    program = list(compiled.image.program)
    position = next(k for k, op in enumerate(program) if op.opcode == opcode)
    program[position] = replace(program[position], arguments={**program[position].arguments, **changes})
    return replace(compiled, image=replace(compiled.image, program=tuple(program)))


@pytest.mark.parametrize(
    ("opcode", "changes", "what"),
    [
        (Opcode.INPUT, {"destination": 60}, "activations up to 65, but there are 64"),
        (Opcode.OUTPUT, {"source": 65535}, "activations"),
        (Opcode.MATVEC, {"source": 62}, "activations"),
        (Opcode.MATVEC, {"weight_base": 1000}, "weight words"),
        (Opcode.MATVEC, {"columns": 65535, "entries": 65535, "source": 0}, "reaches"),
        (Opcode.CELL, {"groups": 17}, "accumulators"),
        (Opcode.CELL, {"bias_base": 500}, "bias groups"),
        (Opcode.CELL, {"state_base": 127}, "state groups"),
        (Opcode.CELL, {"destination": 63}, "activations"),
        (Opcode.LOGITS, {"count": 65}, "accumulators"),
        (Opcode.LOGITS, {"bias_base": 8}, "bias groups"),
    ],
)
@pytest.mark.parametrize("mode", ["dense", "sparse"])
def test_refuses_access_outside_the_memories(compiled, mode, opcode, changes, what):
    with pytest.raises(BundleError, match=what):
        Golden(with_op(compiled[mode], opcode, **changes))


def test_refuses_dense_rows_beyond_the_accumulators(compiled):
    with pytest.raises(BundleError, match="accumulator rows up to 9, but there are 8"):
        Golden(with_op(compiled["dense"], Opcode.MATVEC, entries=9, columns=1))


def test_refuses_index_entries_beyond_the_image(compiled):
    with pytest.raises(BundleError, match="index entries"):
        Golden(with_op(compiled["sparse"], Opcode.MATVEC, index_base=400))


def test_refuses_index_beyond_the_accumulators(compiled, config):
    image = compiled["sparse"].image
    indices = image.indices.copy()
    indices[3, 5] = config.accumulator_rows
    with pytest.raises(BundleError, match="below 8 accumulator rows, not 8"):
        Golden(replace(compiled["sparse"], image=replace(image, indices=indices)))


def test_refuses_image_beyond_the_memories(compiled):
    small = replace(compiled["dense"].config, weight_depth=16)
    with pytest.raises(BundleError, match="weights must have 8 lanes of at most 16 words"):
        Golden(replace(compiled["dense"], config=small))


@pytest.mark.parametrize("name", ["weights", "indices", "biases"])
def test_refuses_image_of_another_type(compiled, name):
    image = compiled["sparse"].image
    foreign = replace(image, **{name: getattr(image, name).astype(np.int64)})
    with pytest.raises(BundleError, match=f"{name} must be .*int.*, not int64"):
        Golden(replace(compiled["sparse"], image=foreign))


def test_refuses_program_without_end(compiled):
    image = compiled["dense"].image
    program = (*image.program[:-1], replace(image.program[-1], end=False))
    with pytest.raises(BundleError, match="none of them is marked as its end"):
        Golden(replace(compiled["dense"], image=replace(image, program=program)))


def test_refuses_unknown_op(compiled):
    class Foreign(Op):
        def encode(self):
            return 15

    foreign = Foreign(Opcode.OUTPUT, {"source": 0, "count": 1}, end=True)
    with pytest.raises(BundleError, match="malformed op"):
        Golden(replace(compiled["dense"], image=replace(compiled["dense"].image, program=(foreign,))))


def test_ignores_what_stands_behind_the_end(compiled, sequences):
    image = compiled["dense"].image
    beyond = Op(Opcode.OUTPUT, {"source": 65535, "count": 1}, When.LAST)
    longer = replace(compiled["dense"], image=replace(image, program=(*image.program, beyond)))
    assert np.array_equal(Golden(longer).run(sequences[1]), Golden(compiled["dense"]).run(sequences[1]))


@pytest.mark.parametrize(
    ("x", "what"),
    [
        (np.zeros((0, 5), dtype=int), "1 to 65535 steps, not 0"),
        (np.zeros((65536, 5), dtype=int), "1 to 65535 steps, not 65536"),
        (np.zeros((2, 4), dtype=int), "takes 10 input elements in 2 steps, not 8"),
        (np.full((2, 5), 1 << 15), "from -32768 to 32767, not 32768 to 32768"),
        (np.zeros((2, 5)), "must be integers"),
        (np.zeros(5, dtype=int), "must be integers"),
    ],
)
def test_refuses_bad_sequences(compiled, x, what):
    with pytest.raises(DataError, match=what):
        Golden(compiled["dense"]).run(x)
