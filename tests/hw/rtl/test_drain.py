import random

import pytest
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.cell import CellLane
from gatewright.hw.rtl.drain import DrainUnit
from gatewright.sw.numbers import STATE
from gatewright.sw.numbers.reference import cell, requantise


class Bench:
    """A drain unit with stand-ins for the accumulators and the activation memory."""

    def __init__(self, seed, cell_lanes, lanes=16):
        self.config = AcceleratorConfig(
            lanes=lanes,
            cell_lanes=cell_lanes,
            accumulator_rows=4,
            activation_depth=64,
            bias_depth=32,
            state_depth=32,
        )
        rng = random.Random(seed)
        rows, width = self.config.accumulator_rows, self.config.drain_lanes
        self.sums = [[rng.randint(-40_000, 40_000) for _ in range(lanes)] for _ in range(rows)]
        self.biases = [
            [rng.randint(-(1 << 31), (1 << 31) - 1) >> 15 for _ in range(width)] for _ in range(32)
        ]
        self.hidden = {}
        self.cleared = []
        self.dut = DrainUnit(self.config)
        self.simulation = Simulation(self.dut, limit=2000)
        self.simulation.add(self._accumulators, background=True)
        self.simulation.add(self._activations, background=True)

    async def _accumulators(self, ctx):
        port, width = self.dut.accumulators, self.config.drain_lanes
        waiting = [0] * width
        async for _, _, enable, clear, row, group in ctx.tick().sample(
            port.enable, port.clear, port.row, port.group
        ):
            ctx.set(port.values, waiting)
            if clear:
                self.cleared.append(row)
                self.sums[row] = [0] * self.config.lanes
            if enable:
                lanes = slice(width * group, width * (group + 1))
                waiting = self.sums[row][lanes]
                self.sums[row][lanes] = [0] * width

    async def _activations(self, ctx):
        port = self.dut.hidden
        async for _, _, enable, address, word in ctx.tick().sample(port.enable, port.address, port.data):
            if enable:
                self.hidden[address] = list(word)

    def ordered(self):
        """Give the sums in drain order."""
        return [value for row in self.sums for value in row]

    async def load(self, ctx):
        port = self.dut.biases
        for offset, group in enumerate(self.biases):
            for position, value in enumerate(group):
                ctx.set(port.enable, 1 << position)
                ctx.set(port.offset, offset)
                ctx.set(port.data, value & 0xFFFFFFFF)
                await ctx.tick()
        ctx.set(port.enable, 0)

    async def wait_idle(self, ctx):
        cycles = 0
        while not ctx.get(self.dut.idle):
            cycles += 1
            await ctx.tick()
        return cycles

    async def issue(self, ctx, kind, first=0, **arguments):
        """Hand an op over; give the cycles that it takes."""
        ctx.set(self.dut.ops.payload.logits, kind == "logits")
        ctx.set(self.dut.ops.payload.first, first)
        ctx.set(self.dut.ops.payload.arguments[kind], arguments)
        ctx.set(self.dut.ops.valid, 1)
        await ctx.tick().until(self.dut.ops.ready)
        ctx.set(self.dut.ops.valid, 0)
        return await self.wait_idle(ctx)


@pytest.mark.parametrize("cell_lanes", [1, 2, 4])
@pytest.mark.parametrize("groups", [1, 3, 4])
def test_cell_drains_groups_in_order(cell_lanes, groups):
    bench = Bench(1, cell_lanes)
    config = bench.config
    before = bench.ordered()

    async def testbench(ctx):
        await bench.load(ctx)
        await bench.wait_idle(ctx)
        bench.sums = [before[16 * row : 16 * (row + 1)] for row in range(4)]
        arguments = {"groups": groups, "bias_base": 5, "state_base": 9, "shift": 3}
        cycles = await bench.issue(ctx, "cell", 1, destination=4 * cell_lanes, **arguments)
        assert cycles == groups + 3 + CellLane.LATENCY
        # The accumulators are zero now, so the second step shows biases and states alone.
        await bench.issue(ctx, "cell", 0, destination=12 * cell_lanes, **arguments)

    bench.simulation.add(testbench)
    bench.simulation.run()

    drained = groups * config.drain_lanes
    assert bench.ordered() == [0] * drained + before[drained:]
    biases = [value for group in bench.biases[5:] for value in group]
    for unit in range(groups * cell_lanes):
        gates = range(4 * unit, 4 * unit + 4)
        one = cell(*(requantise(before[k] + biases[k], 3, STATE) for k in gates), 0, config.hidden_format)
        two = cell(*(requantise(biases[k], 3, STATE) for k in gates), one.c, config.hidden_format)
        word, element = divmod(unit, cell_lanes)
        assert bench.hidden[4 + word][element] == one.h
        assert bench.hidden[12 + word][element] == two.h
    assert len(bench.hidden) == 2 * groups


@pytest.mark.parametrize("stalls", [None, 2])
@pytest.mark.parametrize(("cell_lanes", "count"), [(1, 1), (1, 4), (1, 11), (2, 8), (4, 18)])
def test_logits_come_in_order(cell_lanes, count, stalls):
    bench = Bench(2, cell_lanes)
    before = bench.ordered()
    taken = bench.simulation.sink(bench.dut.logits, count, stalls=stalls)

    async def testbench(ctx):
        await bench.load(ctx)
        await bench.wait_idle(ctx)
        bench.sums = [before[16 * row : 16 * (row + 1)] for row in range(4)]
        cycles = await bench.issue(ctx, "logits", count=count, bias_base=7)
        if stalls is None:
            assert cycles == count + 3 * -(-count // bench.config.drain_lanes)

    bench.simulation.add(testbench)
    bench.simulation.run()
    biases = [value for group in bench.biases[7:] for value in group]
    assert [(result.data, result.last) for result in taken] == [
        (before[k] + biases[k], k == count - 1) for k in range(count)
    ]
    assert not bench.hidden
    drained = -(-count // bench.config.drain_lanes) * bench.config.drain_lanes
    assert bench.ordered() == [0] * drained + before[drained:]


def test_clears_all_rows_after_reset_and_when_told():
    bench = Bench(3, 1)

    async def testbench(ctx):
        assert await bench.wait_idle(ctx) == bench.config.accumulator_rows
        ctx.set(bench.dut.clear, 1)
        await ctx.tick()
        ctx.set(bench.dut.clear, 0)
        assert await bench.wait_idle(ctx) == bench.config.accumulator_rows

    bench.simulation.add(testbench)
    bench.simulation.run()
    assert bench.cleared == 2 * list(range(bench.config.accumulator_rows))


def test_empty_ops_do_nothing():
    bench = Bench(4, 1)

    async def testbench(ctx):
        await bench.wait_idle(ctx)
        assert await bench.issue(ctx, "cell", groups=0) == 0
        assert await bench.issue(ctx, "logits", count=0) == 0

    bench.simulation.add(testbench)
    bench.simulation.run()
