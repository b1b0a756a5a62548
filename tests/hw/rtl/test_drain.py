import pytest
from drain_rig import Bench

from gatewright.hw.rtl.cell import CellLane
from gatewright.hw.rtl.drain import ROUNDING_LATENCY
from gatewright.hw.rtl.reduction import SUM_LATENCY
from gatewright.hw.rtl.serial_cell import SerialCell
from gatewright.hw.rtl.stages import FIRST_READ, SUM_READ
from gatewright.sw.numbers import ACCUMULATOR, STATE
from gatewright.sw.numbers.reference import cell, requantise

SHAPES = [
    {"lanes": 4, "groups": 1, "cell_lanes": 1},
    {"lanes": 8, "groups": 1, "cell_lanes": 2},
    {"lanes": 16, "groups": 1, "cell_lanes": 1},
    {"lanes": 16, "groups": 2, "cell_lanes": 1, "activation_bits": 16},
    {"lanes": 16, "groups": 2, "cell_lanes": 2},
    {"lanes": 4, "groups": 1, "cell_lanes": 1, "serial_cell": 1},
    {"lanes": 16, "groups": 2, "cell_lanes": 1, "serial_cell": 1, "activation_bits": 16},
]


FIRST_SUM = 1 + SUM_READ + SUM_LATENCY
"""Cycle in which the first sum of one lane would be there: the first reading is in cycle 1."""


def log2(value):
    return value.bit_length() - 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("groups", [1, 5])
def test_cell_drains_groups_in_order(shape, groups):
    bench = Bench(1, **shape)
    config = bench.config
    width, buffer = config.drain_lanes, 1
    row = 4 if groups * width <= 4 * config.group_lanes else 0
    starts = range(width * 5, width * (5 + groups), width)

    async def testbench(ctx):
        await bench.prepare(ctx)
        arguments = {"groups": groups, "bias_base": 5, "state_base": 9, "shift": 3, "row": row}
        begin = len(bench.log)
        cycles = await bench.issue(ctx, "cell", 1, destination=1, buffer=buffer, **arguments)
        if config.serial_cell:
            one = FIRST_SUM + log2(config.lanes) + ROUNDING_LATENCY + SerialCell.LATENCY
            guarded = SerialCell.INTERVAL * max(0, groups - FIRST_READ // SerialCell.INTERVAL)
            assert cycles == one + SerialCell.INTERVAL * (groups - 1)
        else:
            guarded = max(0, groups - FIRST_READ)
            assert cycles == groups - 1 + FIRST_SUM + log2(config.lanes // width) + CellLane.LATENCY
        assert bench.reading_cycles(bench.log[begin + 1 :], buffer) == guarded
        # The accumulators are zero now, so the second step shows biases and states alone.
        await bench.issue(ctx, "cell", 0, destination=8, buffer=buffer, **arguments)

    bench.simulation.add(testbench)
    bench.simulation.run()

    places = [divmod(n, config.group_lanes) for n in range(groups * width)]
    bench.check_drained(buffer, [(row | r, lane) for r, lane in places])
    sums = [bench.column(buffer, row | r, lane) for r, lane in places]
    biases = [bias for start in starts for bias in bench.biases[start : start + width]]
    for unit in range(groups * config.cell_lanes):
        gates = range(4 * unit, 4 * unit + 4)
        # Rounded by the bias alone, so without rounding here.
        one = cell(*(STATE.saturate((sums[k] + biases[k]) >> 3) for k in gates), 0, config.hidden_format)
        two = cell(*(STATE.saturate(biases[k] >> 3) for k in gates), one.c, config.hidden_format)
        assert bench.activations[config.lanes + unit] == one.h
        assert bench.activations[8 * config.lanes + unit] == two.h
    assert len(bench.activations) == 2 * groups * config.cell_lanes


def reduced(bench, count, row, private, biased, bias_base, buffer):
    """Give the exact values of a REDUCE, and the accumulators it reads as (row, lane of the group)."""
    config = bench.config
    if private:
        sums = [sum(bench.before[buffer][row | n]) for n in range(count)]
        drained = [(row | n, lane) for n in range(count) for lane in range(config.group_lanes)]
    else:
        drained = [(row | n // config.group_lanes, n % config.group_lanes) for n in range(count)]
        sums = [bench.column(buffer, *place) for place in drained]
    biases = bench.biases[config.drain_lanes * bias_base :]
    return [total + biased * bias for total, bias in zip(sums, biases, strict=False)], drained


@pytest.mark.parametrize("shape", SHAPES)
def test_reduce_rounds_values_into_a_vector(shape):
    bench = Bench(2, **shape)
    config = bench.config

    async def testbench(ctx):
        await bench.prepare(ctx)
        for count, row, shift, private, biased in [
            (1, 4, 9, 0, 1),
            (4, 4, 0, 0, 0),
            (15, 0, 4, 0, 1),
            (1, 4, 9, 1, 1),
            (4, 4, 0, 1, 0),
            (7, 0, 4, 1, 1),
        ]:
            values, drained = reduced(bench, count, row, private, biased, 7, buffer=0)
            begin = len(bench.log)
            cycles = await bench.issue(
                ctx,
                "reduce",
                count=count,
                bias_base=7,
                destination=2,
                shift=shift,
                private=private,
                biased=biased,
                row=row,
            )
            assert cycles == count - 1 + FIRST_SUM + log2(config.lanes) + ROUNDING_LATENCY
            assert bench.reading_cycles(bench.log[begin + 1 :], 0) == max(0, count - FIRST_READ)
            bench.check_drained(0, drained)
            assert bench.activations == {
                2 * config.lanes + n: requantise(value, shift, config.hidden_format)
                for n, value in enumerate(values)
            }
            bench.refill()
            bench.activations.clear()

    bench.simulation.add(testbench)
    bench.simulation.run()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stalls", [None, 2])
def test_reduce_sends_exact_sums(shape, stalls):
    bench = Bench(3, **shape)
    cases = [(1, 0), (30, 0), (7, 1)]
    taken = bench.simulation.sink(bench.dut.results, sum(count for count, _ in cases), stalls=stalls)

    async def testbench(ctx):
        await bench.prepare(ctx)
        for count, private in cases:
            values, drained = reduced(bench, count, 0, private, 1, 7, buffer=1)
            cycles = await bench.issue(
                ctx, "reduce", count=count, bias_base=7, buffer=1, private=private, biased=1, send=1
            )
            assert stalls is not None or cycles == count + FIRST_SUM + log2(bench.config.lanes)
            assert [(result.data, result.last) for result in taken[-count:]] == [
                (value, n == count - 1) for n, value in enumerate(values)
            ]
            bench.check_drained(1, drained)
            bench.refill()

    bench.simulation.add(testbench)
    bench.simulation.run()
    assert not bench.activations


async def send(ctx, bench, count):
    """Begin to send values, of which the stream takes none."""
    await bench.prepare(ctx)
    ctx.set(bench.dut.ops.payload.reduce, 1)
    ctx.set(bench.dut.ops.payload.arguments.reduce, {"count": count, "send": 1})
    ctx.set(bench.dut.ops.valid, 1)
    await ctx.tick()
    ctx.set(bench.dut.ops.valid, 0)


def test_reads_no_more_than_a_stalled_stream_leaves_room_for():
    bench = Bench(4, **SHAPES[0])
    count = 32

    async def testbench(ctx):
        await send(ctx, bench, count)
        await ctx.tick().repeat(2 * count)
        assert not ctx.get(bench.dut.idle)
        assert ctx.get(bench.dut.reading.active)
        room = SUM_READ + SUM_LATENCY + log2(bench.config.lanes) + 2
        assert sum(lane == 0 for lanes in bench.accumulators[0] for lane in lanes) == room
        ctx.set(bench.dut.results.ready, 1)
        for n in range(count):
            assert ctx.get(bench.dut.results.valid), "a gap behind a stall"
            assert ctx.get(bench.dut.results.payload.data) == bench.before[0][n // 4][n % 4]
            await ctx.tick()
        assert ctx.get(bench.dut.idle)

    bench.simulation.add(testbench)
    bench.simulation.run()


@pytest.mark.parametrize("more", [0, 1])
def test_a_stalled_stream_holds_the_buffer_only_for_what_it_has_no_room_for(more):
    bench = Bench(4, **SHAPES[0])
    count = SUM_READ + SUM_LATENCY + log2(bench.config.lanes) + 2 + more
    assert count <= FIRST_READ

    async def testbench(ctx):
        await send(ctx, bench, count)
        for _ in range(2 * count):
            assert ctx.get(bench.dut.reading.active) == more
            await ctx.tick()

    bench.simulation.add(testbench)
    bench.simulation.run()


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[5]])
def test_reduce_rounds_every_scale_and_both_extremes(shape):
    """One lane holds the value: every shift, at ties and where rounding needs a bit more than the accumulator has."""
    bench = Bench(5, **shape)
    config = bench.config
    cases = [
        (shift, value)
        for shift in range(32)
        for value in (
            ACCUMULATOR.min,
            ACCUMULATOR.max,
            *((256 * half - 255 << shift) // 2 + delta for half in (0, 1) for delta in (-1, 0)),
            (127 << shift) + (1 << shift) // 2 - 1,
            (127 << shift) + (1 << shift) // 2,
        )
        if ACCUMULATOR.min <= value <= ACCUMULATOR.max
    ]

    async def testbench(ctx):
        await bench.prepare(ctx)
        for shift, value in cases:
            bench.accumulators[0][0][:] = [value, 1, 1, 1]
            await bench.issue(ctx, "reduce", count=1, destination=3, shift=shift)
            expected = requantise(value, shift, config.hidden_format)
            assert bench.activations[3 * config.lanes] == expected, (shift, value)

    bench.simulation.add(testbench)
    bench.simulation.run()


@pytest.mark.parametrize("shape", [SHAPES[3], SHAPES[6]])
def test_ops_follow_each_other(shape):
    """CELL, then both kinds of REDUCE, and CELL again, each as soon as the unit takes it."""
    bench = Bench(6, **shape)
    config = bench.config
    taken = bench.simulation.sink(bench.dut.results, 2, stalls=1)

    async def testbench(ctx):
        await bench.prepare(ctx)
        await bench.issue(ctx, "cell", 1, groups=2, destination=1)
        await bench.issue(ctx, "reduce", count=3, row=4, destination=2, shift=9, private=1)
        await bench.issue(ctx, "reduce", count=2, row=1, send=1)
        await bench.issue(ctx, "cell", 1, groups=1, row=1, buffer=1, destination=3)

    bench.simulation.add(testbench)
    bench.simulation.run()
    assert [result.data for result in taken] == [bench.column(0, 1, lane) for lane in range(2)]
    lanes = config.lanes
    assert [bench.activations[2 * lanes + n] for n in range(3)] == [
        requantise(sum(bench.before[0][4 + n]), 9, config.hidden_format) for n in range(3)
    ]
    pre = [STATE.saturate(bench.column(1, 1, k) + bench.biases[k]) for k in range(4)]
    assert bench.activations[3 * lanes] == cell(*pre, 0, config.hidden_format).h
    assert sorted(bench.activations) == [lanes, lanes + 1, 2 * lanes, 2 * lanes + 1, 2 * lanes + 2, 3 * lanes]


def test_clears_all_rows_after_reset_and_when_told():
    bench = Bench(7, **SHAPES[2])

    async def testbench(ctx):
        assert await bench.wait_idle(ctx) == bench.config.accumulator_depth
        await bench.issue(ctx, "cell", groups=2, row=3, destination=1)
        bench.refill()
        bench.cleared.clear()
        ctx.set(bench.dut.clear, 1)
        await ctx.tick()
        ctx.set(bench.dut.clear, 0)
        assert await bench.wait_idle(ctx) == bench.config.accumulator_depth
        await ctx.tick().repeat(SUM_READ)
        assert bench.cleared == list(range(bench.config.accumulator_depth))
        quiet = bench.log[-bench.config.accumulator_depth - SUM_READ :]
        assert not any(reading.active or producer.active or count for reading, producer, count in quiet)

    bench.simulation.add(testbench)
    bench.simulation.run()


def test_empty_ops_do_nothing():
    bench = Bench(8, **SHAPES[0])

    async def testbench(ctx):
        await bench.prepare(ctx)
        assert await bench.issue(ctx, "cell", groups=0) == 0
        assert await bench.issue(ctx, "reduce", count=0) == 0
        assert await bench.issue(ctx, "reduce", count=0, send=1) == 0

    bench.simulation.add(testbench)
    bench.simulation.run()
    assert bench.accumulators == bench.before
