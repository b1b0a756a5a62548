from dataclasses import replace

import numpy as np
import pytest
from programs import Builder, Interpreter

from gatewright.cosim.golden import MAX_STEPS, Golden, Trace
from gatewright.errors import BundleError, DataError
from gatewright.hw.compiler.pack import pack
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Op, Opcode, When
from gatewright.sw.bundle import Matrix
from gatewright.sw.numbers import STATE, Fixed, reference


def random_matrix(rng, rows, columns, bits, density):
    values = rng.integers(-(1 << bits - 1), 1 << bits - 1, (rows, columns))
    return Matrix(values * (rng.random((rows, columns)) < density), Fixed(bits, 0))


UNITS, INPUTS, RANK, CLASSES = 11, 13, 3, 5


def model(config, *, mode, bits, density=0.4, seed=0):
    """An LSTM layer with a low-rank recurrent matrix and a head; the input part of a step runs in the step before."""
    rng = np.random.default_rng(seed)

    def packed(rows, columns, gates=False, private=False):
        matrix = random_matrix(rng, rows, columns, bits, density)
        return pack(matrix, config, gates=gates, private=private, mode=mode)

    builder = Builder(config)
    words = [-(-size // config.lanes) for size in (INPUTS, 2 * UNITS, RANK + config.lanes)]
    x, h, z = 0, words[0], words[0] + words[1]
    from_input = packed(4 * UNITS, INPUTS, gates=True)
    gate_rows = 1 << (from_input.rows - 1).bit_length()
    builder.op(Opcode.INPUT, When.FIRST, destination=x, count=INPUTS)
    builder.matvec(from_input, When.FIRST, source=x, shift=5)
    builder.matvec(packed(RANK, UNITS, private=True), When.CARRIED, source=h, buffer=1, row=gate_rows)
    builder.op(
        Opcode.REDUCE, When.CARRIED, count=RANK, destination=z, shift=3, private=1, buffer=1, row=gate_rows
    )
    builder.matvec(packed(4 * UNITS, RANK, gates=True), When.CARRIED, source=z, shift=3, alternate=1)
    builder.op(Opcode.INPUT, When.NOT_LAST, destination=x, count=INPUTS)
    first = builder.ops[1].arguments
    builder.op(Opcode.MATVEC, When.NOT_LAST, **first | {"buffer": 1, "alternate": 1})
    builder.op(
        Opcode.CELL, groups=-(-UNITS // config.cell_lanes), destination=h, shift=4, alternate=1,
        bias_base=builder.bias(rng.integers(-(1 << 14), 1 << 14, 4 * UNITS)), state_base=2,
    )  # fmt: skip
    builder.op(Opcode.OUTPUT, source=h, count=UNITS)
    head = packed(CLASSES, UNITS)
    builder.matvec(head, When.LAST, source=h, shift=4, buffer=1, row=gate_rows)
    builder.op(
        Opcode.REDUCE, When.LAST, count=CLASSES, biased=1, send=1, buffer=1, row=gate_rows,
        bias_base=builder.bias(rng.integers(-(1 << 30), 1 << 30, CLASSES)),
    )  # fmt: skip
    return builder.compiled()


def inputs(seed, steps, low=-128, high=128, zeros=0.6):
    rng = np.random.default_rng(seed)
    return rng.integers(low, high, (steps, INPUTS)) * (rng.random((steps, INPUTS)) > zeros)


CONFIGS = {
    "one group": AcceleratorConfig(lanes=8, narrowest_weight=2, cell_lanes=2),
    "groups": AcceleratorConfig(lanes=16, narrowest_weight=2, groups=2, cell_lanes=1, activation_bits=16),
    "small": AcceleratorConfig(
        lanes=4, narrowest_weight=2, cell_lanes=1, accumulator_rows=128, column_depth=0
    ),
    "many groups": AcceleratorConfig(
        lanes=32, groups=8, cell_lanes=1, narrowest_weight=4, accumulator_rows=64
    ),
    "wide words": AcceleratorConfig(lanes=16, cell_lanes=4, narrowest_weight=8),
}


@pytest.mark.parametrize("mode", ["dense", "sparse"])
@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("name", CONFIGS)
def test_runs_programs_as_documented(name, bits, mode):
    compiled = model(CONFIGS[name], mode=mode, bits=bits)
    golden, interpreter = Golden(compiled), Interpreter(compiled)
    for seed, (steps, fresh) in enumerate([(4, True), (1, False), (3, False), (1, True), (2, True)]):
        x = inputs(seed, steps)
        results, flags = interpreter.run(x, fresh)
        found, trace = golden.run(x, fresh, trace=True)
        assert found.tolist() == results
        assert trace.flags.tolist() == flags
        assert trace.inputs.tolist() == (x.ravel() == 0).tolist()
        assert trace.drained.tolist() == interpreter.drained
        zeros = np.count_nonzero(trace.inputs) + trace.drained[:, 1].sum()
        assert trace.zero_share == zeros / (trace.inputs.size + trace.drained[:, 0].sum())
        assert np.any(results)


def test_equals_the_reference_of_an_lstm_layer():
    """Written without packing or ops in mind: gate rows i f g o, the rounding constant in the stored bias."""
    config, shift, steps = CONFIGS["groups"], 4, 6
    rng = np.random.default_rng(3)
    w_ih, w_hh = (random_matrix(rng, 4 * UNITS, n, 8, 1.0) for n in (INPUTS, UNITS))
    bias = rng.integers(-(1 << 14), 1 << 14, 4 * UNITS)
    builder = Builder(config)
    builder.op(Opcode.INPUT, destination=0, count=INPUTS)
    builder.matvec(pack(w_ih, config, gates=True, private=False, mode="sparse"), source=0, shift=2)
    builder.matvec(pack(w_hh, config, gates=True, private=False, mode="dense"), When.CARRIED, source=1)
    stored = (bias + (1 << shift - 1)).reshape(4, UNITS).T.ravel()
    builder.op(Opcode.CELL, groups=UNITS, destination=1, shift=shift, bias_base=builder.bias(stored))
    builder.op(Opcode.OUTPUT, source=1, count=UNITS)
    x = inputs(3, steps, zeros=0)
    found = Golden(builder.compiled()).run(x).reshape(steps, UNITS)

    h, c = [0] * UNITS, [0] * UNITS
    for step in range(steps):
        parts = (reference.matvec(m.values.tolist(), v) for m, v in ((w_ih, x[step].tolist()), (w_hh, h)))
        sums = [(a << 2) + b + k for a, b, k in zip(*parts, bias.tolist(), strict=True)]
        pre = [reference.requantise(s, shift, STATE) for s in sums]
        units = [reference.cell(*pre[u::UNITS], c[u], config.hidden_format) for u in range(UNITS)]
        h, c = (list(values) for values in zip(*units, strict=True))
        assert found[step].tolist() == h


@pytest.mark.parametrize("name", ["one group", "groups", "wide words"])
def test_cells_have_accumulators_states_and_biases_of_their_own(name):
    """Three cells of 16 units, whose accumulators fill all their rows before the first is drained; biases of the last
    saturate everything."""
    config, rng, units = CONFIGS[name], np.random.default_rng(5), 16
    groups, words, layers = units // config.cell_lanes, units // config.lanes, (1, 2, 3)
    builder = Builder(config)
    builder.op(Opcode.INPUT, destination=0, count=INPUTS)
    for layer in layers:
        matrix = random_matrix(rng, 4 * units, INPUTS, 8, 0.7)
        packed = pack(matrix, config, gates=True, private=False, mode="dense")
        builder.matvec(packed, source=0, row=(layer - 1) * packed.rows)
    for layer in layers:
        top = 1 << 10 + 4 * layer
        bias = builder.bias(rng.integers(-top, top, 4 * units))
        place = {"bias_base": bias, "state_base": (layer - 1) * groups, "row": (layer - 1) * packed.rows}
        builder.op(Opcode.CELL, groups=groups, destination=4 + layer * words, shift=4, **place)
        builder.op(Opcode.OUTPUT, source=4 + layer * words, count=units)
    compiled, x = builder.compiled(), inputs(5, 6)
    assert Golden(compiled).run(x).tolist() == Interpreter(compiled).run(x)[0]


@pytest.mark.parametrize("mode", ["dense", "sparse"])
@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("name", ["one group", "groups"])
def test_products_of_small_activations_are_exact(name, private, mode):
    """Without a shift, where an activation of 1 is a factor of 1."""
    config, rng = CONFIGS[name], np.random.default_rng(4)
    matrix, x = random_matrix(rng, 9, INPUTS, 4, 0.7), rng.integers(-1, 2, (12, INPUTS))
    builder = Builder(config)
    builder.op(Opcode.INPUT, destination=0, count=INPUTS)
    builder.matvec(pack(matrix, config, gates=False, private=private, mode=mode), source=0)
    builder.op(Opcode.REDUCE, count=9, send=1, private=int(private))
    assert Golden(builder.compiled()).run(x).reshape(12, 9).tolist() == (x @ matrix.values.T).tolist()


@pytest.mark.parametrize("mode", ["dense", "sparse"])
def test_column_steps_may_share_words_in_any_order(mode):
    config = CONFIGS["groups"]
    builder = Builder(config)
    given = random_matrix(np.random.default_rng(2), 7, 10, 4, 0.5)
    packed = pack(given, config, gates=False, private=False, mode=mode)
    table = (
        np.array([[2, 1], [0, 3], [0, 0], [2, 1], [1, 1]]) if mode == "sparse" else np.eye(5, 2, dtype=int)
    )
    builder.op(Opcode.INPUT, destination=0, count=10)
    builder.matvec(replace(packed, table=table), source=0)
    builder.op(Opcode.REDUCE, count=7, send=1)
    compiled, x = builder.compiled(), inputs(0, 1, zeros=0)[:, :10]
    expected, _ = Interpreter(compiled).run(x)
    assert np.any(expected)
    assert Golden(compiled).run(x).tolist() == expected


def test_trace_names_the_executed_ops():
    compiled = model(CONFIGS["many groups"], mode="dense", bits=8)
    _, trace = Golden(compiled).run(inputs(0, 3), trace=True)
    from_input, from_rank, head = (-(-n // 8) for n in (INPUTS, RANK, UNITS))
    executed = [from_input, from_input, from_rank, from_input, from_rank, head]
    assert np.diff(trace.offsets).tolist() == executed
    assert trace.offsets[-1] == len(trace.flags)
    assert not np.diff(Golden(compiled).run(np.zeros((1, INPUTS), int), trace=True)[1].offsets).tolist()[2:]


def test_trace_leaves_out_what_lies_behind_a_vector():
    config = CONFIGS["many groups"]
    builder = Builder(config)
    matrix = random_matrix(np.random.default_rng(0), 4, 9, 8, 1.0)
    builder.op(Opcode.INPUT, When.FIRST, destination=0, count=16)
    builder.op(Opcode.INPUT, When.LAST, destination=0, count=9)
    builder.matvec(pack(matrix, config, gates=False, private=False, mode="dense"), source=0)
    golden = Golden(builder.compiled())
    _, trace = golden.run(np.zeros((1, 25), dtype=int), trace=True)
    assert trace.flags.tolist() == [0, 0]
    _, trace = golden.run(np.repeat([0, 1, 0], [9, 7, 9])[None], trace=True)
    assert trace.flags.tolist() == [0, 0]
    _, trace = golden.run(np.repeat([0, 1], [24, 1])[None], trace=True)
    assert trace.flags.tolist() == [0, 1]


def test_the_share_of_zeros_is_that_of_all_activations():
    flags, offsets, inputs = np.zeros(0), np.zeros(1), np.array([True, False, False, False])
    assert Trace(flags, offsets, inputs, np.zeros((0, 2), dtype=int)).zero_share == 0.25
    assert Trace(flags, offsets, inputs, np.array([[3, 3], [3, 1]])).zero_share == 0.5


def test_jobs_are_fresh_unless_told_otherwise():
    compiled = model(CONFIGS["one group"], mode="dense", bits=8)
    golden, x = Golden(compiled), inputs(1, 3)
    first = golden.run(x).tolist()
    assert golden.run(x, fresh=False).tolist() != first
    assert golden.run(x).tolist() == first
    assert golden.multiply_accumulates(3) == golden.multiply_accumulates(3, fresh=True)
    builder = Builder(CONFIGS["one group"])
    builder.op(Opcode.INPUT, When.CARRIED, destination=0, count=2)
    golden, x = Golden(builder.compiled()), np.zeros((2, 1), dtype=int)
    assert golden.check(x) is x
    with pytest.raises(DataError, match="takes 4 input elements"):
        golden.check(x, fresh=False)


def test_programs_may_take_nothing():
    builder = Builder(CONFIGS["one group"])
    builder.op(Opcode.OUTPUT, source=0, count=2)
    golden = Golden(builder.compiled())
    assert golden.run(np.zeros((3, 0), dtype=int)).tolist() == [0] * 6
    assert MAX_STEPS == (1 << 30) - 1


def test_inputs_may_have_the_extremes_of_their_format():
    config = CONFIGS["one group"]
    builder = Builder(config)
    builder.op(Opcode.INPUT, destination=9, count=2)
    builder.op(Opcode.OUTPUT, source=9, count=2)
    golden = Golden(builder.compiled())
    assert golden.run(np.array([[-128, 127]])).tolist() == [-128, 127]
    for beyond in ([-129, 0], [0, 128]):
        with pytest.raises(DataError, match="must be from -128 to 127"):
            golden.check(np.array([beyond]))


def test_multiply_accumulates_count_padding():
    config = CONFIGS["one group"]
    golden = Golden(model(config, mode="dense", bits=8))
    # 11 units on 2 quads are 6 rows, in words of one 8-bit weight; private: 11 columns on 8 lanes are 2 steps.
    per_step = 8 * (6 * INPUTS), 8 * (2 * RANK + 6 * RANK), 8 * UNITS
    for steps, fresh in ((4, True), (4, False)):
        expected = steps * per_step[0] + (steps - fresh) * per_step[1] + per_step[2]
        assert golden.multiply_accumulates(steps, fresh) == expected


def with_op(compiled, position, when=None, **changes):
    """The same model with one op changed."""
    program = list(compiled.image.program)
    op = program[position]
    program[position] = replace(op, arguments=op.arguments | changes, when=op.when if when is None else when)
    return replace(compiled, image=replace(compiled.image, program=tuple(program)))


def index_of(compiled, opcode):
    return next(k for k, op in enumerate(compiled.image.program) if op.opcode == opcode)


@pytest.mark.parametrize(
    ("opcode", "changes", "what"),
    [
        (Opcode.INPUT, {"destination": 127, "count": 9}, r"INPUT\) reaches activations up to 1025, .* are 1024"),
        (Opcode.OUTPUT, {"source": 4095}, "activations"),
        (Opcode.MATVEC, {"source": 127}, "activations"),
        (Opcode.MATVEC, {"weight_base": 4095}, "weight words"),
        (Opcode.MATVEC, {"index_base": 4095}, "index words"),
        (Opcode.MATVEC, {"table_base": 250}, "entries of the column table"),
        (Opcode.MATVEC, {"row": 4}, "accumulator row 4, which is not a multiple of 8"),
        (Opcode.MATVEC, {"row": 32}, "accumulator rows up to 38, but there are 32"),
        (Opcode.MATVEC, {"split": 3}, "8 weights in a word, but a lane has 4 banks"),
        (Opcode.MATVEC, {"tail": 1}, "last column step of 1 elements, which must be less than the 1 groups"),
        (Opcode.MATVEC, {"shift": 11}, "shifts by 11, but in its orientation the most is 10"),
        (Opcode.MATVEC, {"private": 1}, "shifts by 5, but in its orientation the most is 0"),
        (Opcode.CELL, {"row": 2}, "accumulator row 2, which is not a multiple of 8"),
        (Opcode.CELL, {"groups": 65, "destination": 20, "bias_base": 0}, "bias groups"),
        (Opcode.CELL, {"state_base": 123}, "state groups"),
        (Opcode.CELL, {"destination": 127}, "activations"),
        (Opcode.REDUCE, {"destination": 128}, "activations"),
        (Opcode.REDUCE, {"row": 2, "count": 1}, "accumulator row 2, which is not a multiple of 4"),
        (Opcode.REDUCE, {"count": 40, "row": 0}, "accumulator rows up to 40"),
        (Opcode.REDUCE, {"biased": 1, "bias_base": 7}, "bias groups up to 8, but there are 7"),
    ],
)  # fmt: skip
def test_refuses_access_outside_the_memories(opcode, changes, what):
    compiled = model(CONFIGS["one group"], mode="sparse", bits=8)
    with pytest.raises(BundleError, match=what):
        Golden(with_op(compiled, index_of(compiled, opcode), **changes))


def test_refuses_vectors_that_overlap():
    compiled = model(CONFIGS["one group"], mode="dense", bits=8)
    with pytest.raises(
        BundleError, match=r"of op 6 \(MATVEC\) reaches activation word 1, .* of op 8 \(OUTPUT\)"
    ):
        Golden(with_op(compiled, index_of(compiled, Opcode.OUTPUT), source=1))


def test_refuses_program_without_end():
    compiled = model(CONFIGS["one group"], mode="dense", bits=8)
    program = compiled.image.program[:-1]
    with pytest.raises(BundleError, match="none of them is marked as its end"):
        Golden(replace(compiled, image=replace(compiled.image, program=program)))


def test_ignores_what_stands_behind_the_end():
    compiled = model(CONFIGS["one group"], mode="dense", bits=8)
    beyond = Op(Opcode.OUTPUT, {"source": 4095, "count": 1}, When.LAST)
    longer = replace(compiled, image=replace(compiled.image, program=(*compiled.image.program, beyond)))
    x = inputs(1, 2)
    assert np.array_equal(Golden(longer).run(x), Golden(compiled).run(x))


@pytest.mark.parametrize(
    ("x", "what"),
    [
        (np.zeros((0, INPUTS), dtype=int), f"1 to {MAX_STEPS} steps, not 0"),
        (np.zeros((MAX_STEPS + 1, 0), dtype=int), f"1 to {MAX_STEPS} steps, not {MAX_STEPS + 1}"),
        (np.zeros((2, 4), dtype=int), "takes 26 input elements in 2 steps, not 8"),
        (np.zeros((2, 14), dtype=int), "takes 26 input elements in 2 steps, not 28"),
        (np.full((2, INPUTS), 1 << 7), "from -128 to 127, not 128 to 128"),
        (np.zeros((2, INPUTS)), "must be integers"),
        (np.zeros(INPUTS, dtype=int), "must be integers"),
        (np.zeros((2, INPUTS, 1), dtype=int), "must be integers"),
    ],
)
def test_refuses_bad_sequences(x, what):
    with pytest.raises(DataError, match=what):
        Golden(model(CONFIGS["one group"], mode="dense", bits=8)).run(x)
