"""Order and buffers; that programs compute the right thing is shown in ``test_compiler.py``."""

import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Opcode, When

CONFIG = AcceleratorConfig(lanes=16, cell_lanes=2, accumulator_rows=32, program_depth=64)
MATVEC, REDUCE, CELL, INPUT, OUTPUT = (
    Opcode.MATVEC,
    Opcode.REDUCE,
    Opcode.CELL,
    Opcode.INPUT,
    Opcode.OUTPUT,
)


def program(config=CONFIG, **model):
    return compile_bundle(random_bundle(1, **model), config, mode="dense", hidden_results="all").image.program


def body(ops):
    """Give the ops of a step in the middle of a sequence."""
    return [op for op in ops if op.when not in (When.FIRST, When.LAST)]


def test_the_next_steps_input_part_hides_the_cell_unit():
    ops = body(program(classes=0))
    assert [op.opcode for op in ops] == [MATVEC, INPUT, MATVEC, CELL, OUTPUT]
    recurrent, take, ahead, cell, output = ops
    assert (recurrent.when, take.when, ahead.when) == (When.CARRIED, When.NOT_LAST, When.NOT_LAST)
    assert ahead.arguments["source"] == take.arguments["destination"]
    assert recurrent.arguments["source"] == cell.arguments["destination"] == output.arguments["source"]
    assert all(op.arguments["alternate"] for op in (recurrent, ahead, cell))
    assert recurrent.arguments["buffer"] == cell.arguments["buffer"] != ahead.arguments["buffer"]


def test_a_job_opens_with_its_first_input():
    opening = program()[:2]
    assert [(op.opcode, op.when) for op in opening] == [(INPUT, When.FIRST), (MATVEC, When.FIRST)]
    assert opening[1].arguments["buffer"] == 0


def test_first_factors_stand_before_the_product_that_hides_their_reduction():
    ops = body(program(rank=3, classes=0))
    assert [op.opcode for op in ops] == [MATVEC, INPUT, MATVEC, REDUCE, MATVEC, REDUCE, MATVEC, CELL, OUTPUT]
    matrix = [op for op in ops if op.opcode is MATVEC]
    assert [op.arguments["private"] for op in matrix] == [1, 1, 0, 0]
    assert [op.when for op in matrix] == [When.CARRIED, When.NOT_LAST] * 2
    assert [op.when for op in ops if op.opcode is REDUCE] == [When.CARRIED, When.NOT_LAST]
    buffers = [op.arguments["buffer"] for op in matrix]
    assert buffers == [buffers[0], 1 - buffers[0]] * 2


def test_two_layers_take_turns_without_alternating():
    ops = program(layers=2, classes=0)
    cells = [op for op in ops if op.opcode is CELL]
    assert [op.arguments["buffer"] for op in cells] == [0, 1]
    assert not any(op.arguments.get("alternate") for op in ops)
    # The second layer's recurrent part needs only the past, so it stands before the part that needs the first layer.
    second = [op for op in body(ops) if op.opcode is MATVEC and op.arguments["buffer"] == 1]
    assert [op.when for op in second] == [When.CARRIED, When.ALWAYS]


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("rank", [None, 3])
@pytest.mark.parametrize("projection", [None, 5])
def test_no_op_uses_the_buffer_that_is_drained_beside_it(layers, rank, projection):
    """Between a product and its draining stands at most one matrix op, and it uses the other buffer."""
    ops = body(program(layers=layers, rank=rank, projection=projection, classes=0))
    matrix = [op for op in ops if op.opcode is MATVEC]
    for drain in (op for op in ops if op.opcode in (CELL, REDUCE)):
        before = [op for op in ops[: ops.index(drain)] if op.opcode is MATVEC]
        same = [op for op in before if op.arguments["buffer"] == drain.arguments["buffer"]]
        late = len(before) - 1 - before.index(same[-1])
        assert late <= 1
    assert len(matrix) == layers * (4 if rank else 2) + (layers if projection else 0)


def test_regions_in_use_together_have_rows_of_their_own():
    ops = body(program(rank=3, classes=0))
    gates = {op.arguments["row"] for op in ops if op.opcode is CELL}
    factors = {op.arguments["row"] for op in ops if op.opcode is REDUCE}
    assert gates == {0}
    assert 0 not in factors


def test_a_region_may_begin_behind_the_rows_that_another_uses():
    """120 units on 4 lanes use 120 rows of 128, and leave room for the head's three."""
    config = AcceleratorConfig(lanes=4, cell_lanes=1, accumulator_rows=128, private=0, weight_depth=65536)
    compiled = compile_bundle(random_bundle(1, hidden=120, classes=10), config, mode="dense")
    rows = {op.opcode: op.arguments["row"] for op in compiled.image.program if "row" in op.arguments}
    assert rows[CELL] == 0
    assert rows[REDUCE] == 120
