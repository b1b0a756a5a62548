"""Against Amaranth's simulator; `gatewright bench cycles` does the same for hundreds of models in Verilator."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Fragment
from simulation import Simulation

from gatewright.cosim.golden import Golden
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import DataError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.compiler.modes import Modes
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles import latencies
from gatewright.hw.cycles.machine import RING
from gatewright.hw.cycles.model import OpTime, predict
from gatewright.hw.interface import LOAD_ADDRESS
from gatewright.hw.ops import ARGUMENTS, Op, Opcode, When
from gatewright.hw.rtl.accelerator import Accelerator
from gatewright.hw.rtl.column_layout import CREDITS, SLOTS
from gatewright.hw.rtl.io import OUTPUT_LATENCY
from gatewright.hw.rtl.reduction import Reduction
from gatewright.hw.rtl.stages import ARRIVAL, COUNTED, FIRST_READ, FIRST_WORD, RETIRE, TAKE, WRITE
from gatewright.hw.skipping import Skip

CONFIG = AcceleratorConfig(lanes=4, cell_lanes=1, narrowest_weight=2)


def measure(compiled, sequences, skip=False):
    """Run jobs on the RTL, the first of them fresh; gives the counters of each."""
    dut = Accelerator(compiled.config)
    sim = Simulation(dut)
    counters = []

    async def host(ctx):
        ctx.set(dut.load.valid, 1)
        for address, word in compiled.image.load_words().tolist():
            ctx.set(dut.load.payload, {"address": LOAD_ADDRESS.from_bits(address), "data": word})
            await ctx.tick().until(dut.load.ready)
        ctx.set(dut.load.valid, 0)
        for number, x in enumerate(sequences):
            ctx.set(dut.job.payload, {"steps": len(x), "fresh": number == 0, "skip": skip})
            ctx.set(dut.job.valid, 1)
            await ctx.tick().until(dut.job.ready)
            ctx.set(dut.job.valid, 0)
            await ctx.tick().until(~dut.busy)
            found = ctx.get(dut.counters)
            counters.append({name: found[name] for name, _ in found.shape()})

    sim.add(host)
    elements = [
        {"data": value, "last": number == x.size - 1}
        for x in sequences
        for number, value in enumerate(x.ravel().tolist())
    ]
    sim.source(dut.i, elements)
    sim.sink(dut.o, sum(compiled.result_count(len(x)) for x in sequences))
    sim.run()
    return counters


def check(compiled, sequences, skip=False):
    """Hold the prediction of each job against the RTL."""
    golden = Golden(compiled)
    measured = measure(compiled, sequences, skip)
    for number, (x, counters) in enumerate(zip(sequences, measured, strict=True)):
        _, trace = golden.run(x, number == 0, trace=True)
        predicted = predict(compiled, len(x), number == 0, skip, trace).counters
        assert predicted == {name: counters[name] for name in predicted}


@pytest.mark.parametrize("skip", [False, True])
def test_dense_with_all_results_and_a_carried_state(skip):
    """The output unit and REDUCE compete for the output stream."""
    bundle = random_bundle(1, inputs=5, hidden=6, classes=3)
    config = smallest_config([(bundle, "dense")], lanes=4, cell_lanes=1)
    compiled = compile_bundle(bundle, config, mode="dense", hidden_results="all", logit_results="all")
    check(compiled, [random_inputs(k, bundle, steps, zeros=0.5) for k, steps in enumerate((3, 1))], skip)


@pytest.mark.parametrize("skip", [False, True])
def test_columns_of_different_lengths_in_groups(skip):
    bundle = random_bundle(2, inputs=8, hidden=8, classes=0, unbalanced=0.8)
    config = smallest_config([(bundle, "sparse")], lanes=8, groups=2, cell_lanes=1)
    compiled = compile_bundle(bundle, config, mode="sparse", hidden_results="last")
    assert any(op.arguments.get("table") for op in compiled.image.program)
    check(compiled, [random_inputs(3, bundle, 4, zeros=0.7)], skip)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "mode", "fixed", "skip"),
    [
        ({"inputs": 1, "hidden": 20, "classes": 0}, "dense", {"lanes": 4}, False),
        ({"inputs": 5, "hidden": 6, "classes": 3, "layers": 2}, "dense", {"lanes": 8, "groups": 2}, True),
        ({"inputs": 9, "hidden": 8, "unbalanced": 0.7}, "sparse", {"lanes": 8}, True),
        (
            {"inputs": 4, "hidden": 8, "rank": 3, "projection": 5, "activation_bits": 16},
            "dense",
            {"lanes": 4},
            False,
        ),
    ],
)
def test_serial_cell(model, mode, fixed, skip):
    """The units that follow the drain unit wait for a vector that grows by an element in five cycles."""
    bundle = random_bundle(2, **model)
    config = smallest_config([(bundle, mode)], cell_lanes=1, serial_cell=1, **fixed)
    compiled = compile_bundle(bundle, config, mode=mode, hidden_results="all", logit_results="all")
    check(compiled, [random_inputs(k, bundle, steps, zeros=0.6) for k, steps in enumerate((3, 1, 4))], skip)


@pytest.mark.slow
def test_low_rank_projections_and_layers():
    bundle = random_bundle(2, inputs=4, hidden=8, classes=0, rank=3, layers=2, projection=5)
    config = smallest_config([(bundle, "dense")], lanes=8, cell_lanes=2)
    check(compile_bundle(bundle, config, mode="dense", hidden_results="all"), [random_inputs(1, bundle, 3)])


def op(opcode, when=When.ALWAYS, end=False, **given):
    return Op(opcode, dict.fromkeys(ARGUMENTS[opcode], 0) | given, when, end)


def by_hand(*ops):
    """Give a compiled model with a program of its own; nothing else of it is used."""
    bundle = random_bundle(1, inputs=2, hidden=4, classes=0)
    config = smallest_config([(bundle, "dense")], lanes=4, cell_lanes=1)
    compiled = compile_bundle(bundle, config, mode="dense", hidden_results="all")
    return replace(compiled, image=replace(compiled.image, program=ops))


def issues(*ops, steps=1):
    return [each.issue for each in predict(by_hand(*ops), steps, timeline=True).timeline]


def test_input_takes_an_element_a_cycle():
    """Issued in cycle 4, at work in the next seven, idle in the one behind, which the sequencer sees in cycle 13."""
    found = predict(by_hand(op(Opcode.INPUT, count=7, end=True)), 1, timeline=True)
    assert found.timeline == [OpTime(0, 0, 4, 5, 11)]
    assert (found.cycles, found.counters["inputs"]) == (13, 7)


def test_two_cycles_for_an_op_and_for_a_skipped_one():
    """The last op is skipped in the first two of three steps."""
    program = op(Opcode.INPUT), op(Opcode.OUTPUT), op(Opcode.INPUT, When.LAST, end=True)
    assert issues(*program, steps=3) == [4, 6, 10, 12, 16, 18, 20]


def test_output_stays_behind_input():
    """It is issued two cycles later, reads from two cycles later on, and sends an element behind that."""
    program = op(Opcode.INPUT, count=3), op(Opcode.OUTPUT, count=3, end=True)
    found = predict(by_hand(*program), 1, timeline=True)
    assert found.timeline == [OpTime(0, 0, 4, 5, 7), OpTime(0, 1, 6, 8, 10)]
    assert found.cycles == 10 + OUTPUT_LATENCY + 2


def test_input_waits_until_its_vector_is_read():
    """The last of ten elements is read in cycle 15; the sequencer sees it in the next and issues in the one behind."""
    program = op(Opcode.OUTPUT, count=10), op(Opcode.INPUT, count=1, end=True)
    assert issues(*program) == [4, 17]
    other = op(Opcode.INPUT, destination=1, count=1, end=True)
    assert issues(program[0], other) == [4, 6]


@pytest.mark.parametrize(
    ("before", "after", "waits"),
    [
        (op(Opcode.INPUT, count=30), op(Opcode.REDUCE, count=1), True),
        (op(Opcode.INPUT, count=30), op(Opcode.CELL, groups=1), True),
        (op(Opcode.INPUT, count=30), op(Opcode.REDUCE, count=1, destination=1), False),
        (op(Opcode.INPUT, count=30), op(Opcode.REDUCE, count=1, send=1), False),
        (op(Opcode.REDUCE, count=30), op(Opcode.INPUT, count=1), True),
        (op(Opcode.REDUCE, count=30), op(Opcode.INPUT, count=1, destination=1), False),
        (op(Opcode.REDUCE, count=30, send=1), op(Opcode.INPUT, count=1), False),
        (op(Opcode.OUTPUT, count=30), op(Opcode.REDUCE, count=1), True),
        (op(Opcode.OUTPUT, count=30), op(Opcode.REDUCE, count=1, destination=1), False),
        (op(Opcode.OUTPUT, count=30), op(Opcode.REDUCE, count=1, send=1), False),
    ],
)
def test_a_vector_is_written_by_one_and_when_it_was_read(before, after, waits):
    """The sequencer sees the end of an op in the next cycle, and issues the one that waits in the cycle behind."""
    first, second = predict(by_hand(before, replace(after, end=True)), 1, timeline=True).timeline
    assert second.issue == (first.last + 2 if waits else first.issue + 2)


@pytest.mark.parametrize(
    ("after", "waits"),
    [
        (op(Opcode.INPUT, count=1), True),
        (op(Opcode.INPUT, count=1, destination=1), False),
        (op(Opcode.REDUCE, count=1, buffer=1), True),
        (op(Opcode.REDUCE, count=1, destination=1, buffer=1), False),
        (op(Opcode.REDUCE, count=1, send=1, buffer=1), False),
        (op(Opcode.REDUCE, count=1, destination=1), True),
        (op(Opcode.REDUCE, count=1, send=1), True),
        (op(Opcode.OUTPUT, count=1), False),
    ],
)
def test_what_a_product_reads_and_adds_to_is_left_alone(after, waits):
    program = op(Opcode.MATVEC, columns=1, words=30), replace(after, end=True)
    first, second = predict(by_hand(*program), 1, timeline=True).timeline
    assert second.issue == (first.last + RETIRE + 2 if waits else first.issue + 2)


def test_lanes_take_a_word_a_cycle():
    """Without gaps between columns; the second op is issued while the first is at work."""
    program = (
        op(Opcode.MATVEC, columns=3, words=5),
        op(Opcode.MATVEC, columns=9, words=1),
        op(Opcode.MATVEC, columns=2, words=0, end=True),
    )
    found = predict(by_hand(*program), 1, timeline=True)
    first, second, third = found.timeline
    assert first.first == first.issue + FIRST_WORD
    assert second.first == first.last + 1 == first.first + 15
    assert second.last - second.first == 8
    assert (third.first, third.last) == (0, 0)
    assert found.counters["matrix"] == 24


def test_a_drained_buffer_is_complete():
    """REDUCE is issued in the second cycle in which the slot is free, MATVEC as soon as readings stay ahead of it."""
    program = (
        op(Opcode.MATVEC, columns=1, words=40),
        op(Opcode.REDUCE, count=40, destination=1),
        op(Opcode.MATVEC, columns=1, words=1, end=True),
    )
    matvec, reduce, after = predict(by_hand(*program), 1, timeline=True).timeline
    assert reduce.issue == matvec.last + RETIRE + 2
    assert reduce.first == reduce.issue + 1
    assert reduce.last == reduce.first + 39 + latencies.reduce_latency(CONFIG)
    last_reading, first_read = reduce.first + 39, after.issue + FIRST_READ
    assert first_read == last_reading + 2


def test_ops_under_way_wait_for_each_other_in_every_slot():
    """The op in the last slot is still held back by those before it when REDUCE asks for its accumulators."""
    full = [op(Opcode.MATVEC, columns=3, words=20)] * (SLOTS - 1)
    program = *full, op(Opcode.MATVEC, columns=1, words=20, buffer=1)
    program = *program, op(Opcode.REDUCE, count=1, destination=1, buffer=1, end=True)
    *_, matvec, reduce = predict(by_hand(*program), 1, timeline=True).timeline
    assert reduce.issue == matvec.last + RETIRE + 2


def test_sums_are_sent_one_a_cycle():
    """However many are under way: as many as are read until the first is offered."""
    (reduce,) = predict(by_hand(op(Opcode.REDUCE, count=60, send=1, end=True)), 1, timeline=True).timeline
    assert reduce.last == reduce.first + 59 + latencies.send_latency(CONFIG)


@pytest.mark.parametrize(
    ("program", "behind"),
    [
        (op(Opcode.INPUT, count=1), 0),
        (op(Opcode.MATVEC, columns=1, words=1), WRITE),
        (op(Opcode.CELL, groups=1), 0),
        (op(Opcode.REDUCE, count=1), 0),
        (op(Opcode.REDUCE, count=1, send=1), 0),
        (op(Opcode.OUTPUT, count=1), OUTPUT_LATENCY),
    ],
)
def test_the_depth_of_an_op_is_what_one_that_waits_for_nothing_takes(program, behind):
    """To its last work, or so much behind it: a product is stored, an element is offered."""
    compiled = by_hand(replace(program, end=True))
    (found,) = predict(compiled, 1, timeline=True).timeline
    assert latencies.depth(program, compiled.config) == found.last - found.issue + behind


def test_a_vector_on_the_output_stream_is_whole():
    """REDUCE has its first sum long before OUTPUT has sent the last of 40 elements, and waits for it."""
    program = op(Opcode.OUTPUT, count=40), op(Opcode.REDUCE, count=2, send=1, end=True)
    output, reduce = predict(by_hand(*program), 1, timeline=True).timeline
    assert reduce.first + latencies.send_latency(CONFIG) < output.last
    last_sent = output.last + OUTPUT_LATENCY
    assert reduce.last == last_sent + 2


def test_credits_hold_the_front_end_back():
    """The first column goes to the lanes, and `CREDITS` are selected behind it; then one when the second goes as well.

    That brings its credit back two cycles later. Only when the last is selected, the op behind comes to the choice, and
    leaves its place for the next, which is issued in the cycle behind.
    """
    behind = op(Opcode.MATVEC, columns=1, words=1), op(Opcode.MATVEC, columns=1, words=1, end=True)
    many = CREDITS + 1
    held, late = (
        issues(op(Opcode.MATVEC, columns=columns, words=100), *behind) for columns in (many, many + 1)
    )
    first_word = held[0] + FIRST_WORD
    assert held[2] == first_word - TAKE - ARRIVAL + many + 1
    assert late[2] == first_word - TAKE + 100 + 2 + 1 + 1


def test_ops_run_in_their_steps():
    program = (
        op(Opcode.INPUT, When.FIRST, count=1),
        op(Opcode.INPUT, When.CARRIED, count=1),
        op(Opcode.INPUT, When.LAST, count=1),
        op(Opcode.INPUT, When.NOT_LAST, count=1, end=True),
    )
    compiled = by_hand(*program)
    fresh, carried = (
        [(each.step, each.op) for each in predict(compiled, 3, fresh, timeline=True).timeline]
        for fresh in (True, False)
    )
    assert fresh == [(0, 0), (0, 3), (1, 1), (1, 3), (2, 1), (2, 2)]
    assert carried == [(0, 0), (0, 1), *fresh[1:]]


def test_alternating_buffers():
    """In every other step the op drains the buffer that the next one adds to, and only then that waits."""
    program = (
        op(Opcode.REDUCE, count=20, destination=1, alternate=1),
        op(Opcode.MATVEC, columns=1, words=1, buffer=1, end=True),
    )
    found = issues(*program, steps=4)
    waits = [after - before for before, after in zip(found[::2], found[1::2], strict=True)]
    assert waits == [2, 22 - FIRST_READ, 2, 22 - FIRST_READ]


def test_long_columns_take_as_long_as_they_are():
    """However far the model goes at once: a word more in each of 20 columns is 20 cycles more."""
    cycles = [
        predict(by_hand(op(Opcode.MATVEC, columns=20, words=words, end=True)), 3).cycles
        for words in (100, 101)
    ]
    assert cycles[1] - cycles[0] == 3 * 20


FILLERS = [op(Opcode.OUTPUT)] * 12
"""Ops of nothing, two cycles each, in which what was written before is counted."""


def decide(*ops, inputs=(), drained=(), flags=(), steps=2, threshold=128, skip=Skip.AUTO, auto=1, **given):
    """Predict a job on hardware that weighs zeros; gives the prediction, and whether each MATVEC skips."""
    compiled = by_hand(*ops)
    config = replace(compiled.config, auto_skipping=auto)
    compiled = replace(compiled, config=config, modes=Modes(input_threshold=threshold))
    trace = SimpleNamespace(
        flags=np.array(flags, dtype=np.uint8),
        inputs=np.array(inputs, dtype=bool),
        drained=np.array(drained, dtype=np.int64).reshape(-1, 2),
    )
    found = predict(compiled, steps, skip=skip, trace=trace, timeline=True, **given)
    kinds = [op.opcode for op in ops]
    return found, [each.skips for each in found.timeline if kinds[each.op] is Opcode.MATVEC]


@pytest.mark.parametrize(
    ("zeros", "threshold", "reached"),
    [
        (2, 128, 1),
        (2, 129, 0),
        (1, 64, 1),
        (1, 65, 0),
        (0, 1, 0),
        (0, 0, 1),
        (4, 255, 1),
        (3, 192, 1),
        (3, 193, 0),
    ],
)
def test_zeros_of_a_step_decide_for_the_next(zeros, threshold, reached):
    """Four elements of x, and as many of a vector that is reduced, with so many zeros."""
    matvec = op(Opcode.MATVEC, source=2, columns=1, words=1)
    of_input = op(Opcode.INPUT, count=4), matvec, *FILLERS, op(Opcode.OUTPUT, end=True)
    pattern = [k < zeros for k in range(4)]
    found, skips = decide(*of_input, inputs=pattern * 2, flags=[1, 1], threshold=threshold)
    assert (skips, found.sparse) == ([1, reached], bool(reached))
    reduced = op(Opcode.REDUCE, count=4, destination=1), matvec, *FILLERS, op(Opcode.OUTPUT, end=True)
    writes = [[1, int(zero)] for zero in pattern]
    found, skips = decide(*reduced, inputs=[False], drained=writes * 2, flags=[1, 1], threshold=threshold)
    assert (skips, found.sparse) == ([1, reached], bool(reached))


def test_a_write_of_several_elements_counts_them_all():
    cell = op(Opcode.CELL, groups=3, destination=1)
    matvec = op(Opcode.MATVEC, source=2, columns=1, words=1)
    program = cell, matvec, *FILLERS, op(Opcode.OUTPUT, end=True)
    for zeros, reached in ((6, 1), (5, 0)):
        writes = [[4, zeros - 4], [4, 4], [4, 0]]
        assert decide(*program, inputs=[0], drained=writes * 2, flags=[1, 1])[1] == [1, reached]


def test_each_step_begins_to_count_anew():
    """Zeros of two steps are neither added up nor left over; the last step's decide for the job behind."""
    matvec = op(Opcode.MATVEC, source=2, columns=1, words=1)
    program = op(Opcode.INPUT, count=2), matvec, *FILLERS, op(Opcode.OUTPUT, end=True)
    steps = [[1, 1], [0, 0], [0, 1], [0, 0], [1, 1], [0, 0]]
    found, skips = decide(*program, inputs=np.ravel(steps), flags=[1] * 6, steps=6)
    assert (skips, found.sparse) == ([1, 1, 0, 1, 0, 1], False)


def test_zeros_count_so_many_cycles_after_their_write():
    """The last of x is the only zero, and decides if it is counted when the step's last op is issued."""
    program = op(Opcode.INPUT, count=0), *FILLERS, op(Opcode.MATVEC, source=2, columns=1, words=1, end=True)
    counted = []
    for count in range(18, 32):
        program = op(Opcode.INPUT, count=count), *program[1:]
        inputs = [k == count - 1 for k in range(count)] * 2
        found, skips = decide(*program, inputs=inputs, flags=[1, 1], threshold=1)
        taken, decided = found.timeline[0].last, found.timeline[len(program) - 1].issue
        counted.append(taken <= decided - COUNTED)
        assert skips == [1, int(counted[-1])]
    assert set(counted) == {True, False}


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({"fresh": False, "sparse": False}, 0),
        ({"fresh": False, "sparse": True}, 1),
        ({"fresh": True, "sparse": False}, 1),
        ({"fresh": False}, 1),
    ],
)
def test_a_job_begins_as_the_one_before_decided_or_fresh(given, first):
    program = op(Opcode.INPUT, count=1), op(Opcode.MATVEC, source=2, columns=1, words=1, end=True)
    assert decide(*program, inputs=[0], flags=[1], steps=1, **given)[1] == [first]


@pytest.mark.parametrize(
    ("skip", "auto", "skipped"), [("NEVER", 1, 0), ("ALWAYS", 1, 6), ("AUTO", 1, 2), ("AUTO", 0, 6)]
)
def test_zeros_are_passed_over_where_the_job_asks_for_it(skip, auto, skipped):
    """Two of four columns in each step, though no activation that is written is zero; never in private orientation."""
    program = (
        op(Opcode.INPUT, count=2),
        op(Opcode.MATVEC, source=2, columns=4, words=3),
        op(Opcode.MATVEC, source=2, columns=2, words=3, private=1),
        *FILLERS,
        op(Opcode.OUTPUT, end=True),
    )
    found, skips = decide(
        *program, inputs=[0] * 6, flags=[0, 1, 1, 0] * 3, steps=3, skip=Skip[skip], auto=auto
    )
    counters = found.counters
    assert counters["skipped"] == skipped
    assert counters["matrix"] == 3 * (4 + 2) * 3 - 3 * skipped
    assert skips == [each for step in range(3) for each in (int(2 * (step + 1) <= skipped), 0)]
    assert (counters["input_wait"], counters["output_wait"]) == (0, 0)


@pytest.mark.parametrize(
    "config", [CONFIG, AcceleratorConfig(lanes=64, groups=4, cell_lanes=2), AcceleratorConfig(cell_lanes=8)]
)
def test_latencies_are_those_of_the_rtl(config):
    reduction = Reduction(config)
    Fragment.get(reduction, None)
    assert latencies.send_latency(config) == reduction.total_latency + 1
    assert latencies.cell_latency(config) - latencies.cell_latency(CONFIG) == (
        reduction.sum_latency - latencies.sum_latency(CONFIG)
    )


def test_a_timeline_only_if_asked_for():
    compiled = by_hand(op(Opcode.INPUT, count=1, end=True))
    assert predict(compiled, 5).timeline == []
    assert len(predict(compiled, 5, timeline=True).timeline) == 5


def test_refusals():
    bundle = random_bundle(1, classes=0)
    compiled = compile_bundle(bundle, CONFIG, mode="dense", hidden_results="all")
    with pytest.raises(DataError, match="at least one step, not 0"):
        predict(compiled, 0)
    with pytest.raises(DataError, match="give the golden model's trace"):
        predict(compiled, 2, skip=True)
    _, trace = Golden(compiled).run(np.zeros((2, 5), dtype=int), trace=True)
    predict(compiled, 2, skip=True, trace=trace)
    with pytest.raises(DataError, match="it is another's"):
        predict(compiled, 3, skip=True, trace=trace)


def test_no_more_columns_are_under_way_than_the_machine_has_places():
    assert max(ARRIVAL, CREDITS + RETIRE + 1) <= RING
