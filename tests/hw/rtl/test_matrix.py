import numpy as np
import pytest
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.matrix import MatrixEngine

CONFIG = AcceleratorConfig(
    lanes=8, cell_lanes=1, weight_depth=128, index_depth=128, accumulator_rows=4, activation_depth=64
)


class Bench:
    """A matrix engine with random memories, and the accumulators that its ops should leave."""

    def __init__(self, seed, config=CONFIG):
        self.config = config
        rng = np.random.default_rng(seed)
        low = -(1 << (config.activation_bits - 1))
        self.weights = rng.choice([-128, 127, *range(-9, 9)], (config.lanes, config.weight_depth))
        self.indices = rng.integers(0, config.accumulator_rows, (config.lanes, config.index_depth))
        self.activations = rng.choice([low, -low - 1, *range(-9, 9)], config.activation_depth).tolist()
        self.sums = np.zeros((config.lanes, config.accumulator_rows), dtype=np.int64)
        self.dut = MatrixEngine(config)
        self.simulation = Simulation(self.dut, limit=5000)
        self.simulation.add(self._activation_memory, background=True)

    async def _activation_memory(self, ctx):
        port = self.dut.activations
        async for _, _, address in ctx.tick().sample(port.address):
            ctx.set(port.data, self.activations[address % len(self.activations)])

    async def load(self, ctx):
        for port, memory in ((self.dut.weights, self.weights), (self.dut.indices, self.indices)):
            for lane, words in enumerate(memory.tolist()):
                ctx.set(port.enable, 1 << lane)
                for offset, word in enumerate(words):
                    ctx.set(port.offset, offset)
                    ctx.set(port.data, word & 0xFFFFFFFF)
                    await ctx.tick()
            ctx.set(port.enable, 0)

    def expect(self, op):
        lanes = np.arange(self.config.lanes)
        for column in range(op["columns"]):
            for entry in range(op["entries"]):
                word = column * op["entries"] + entry
                row = self.indices[:, op["index_base"] + word] if op["sparse"] else entry
                product = self.weights[:, op["weight_base"] + word] * self.activations[op["source"] + column]
                self.sums[lanes, row] += product << op["shift"]

    async def drain(self, ctx):
        """Read and clear all accumulators, a group per cycle, in group order."""
        port = self.dut.drain
        groups = self.config.lanes // self.config.drain_lanes
        got = []
        for n in range(self.config.accumulator_rows * groups + 2):
            ctx.set(port.enable, n < self.config.accumulator_rows * groups)
            ctx.set(port.row, n // groups)
            ctx.set(port.group, n % groups)
            _, _, values = await ctx.tick().sample(port.values)
            got += list(values)[:]
        ctx.set(port.enable, 0)
        return np.array(got[2 * self.config.drain_lanes :]).reshape(-1, self.config.lanes).T


def op(columns, entries, *, sparse=0, shift=0, weight_base=0, index_base=0, source=0):
    return {
        "source": source,
        "columns": columns,
        "entries": entries,
        "weight_base": weight_base,
        "index_base": index_base,
        "shift": shift,
        "sparse": sparse,
    }


OPS = [
    op(5, 4, weight_base=3, source=1, shift=7),
    op(9, 1, weight_base=40, source=50, sparse=1, index_base=17),
    op(0, 3),
    op(1, 1, weight_base=127, source=63, shift=16),
    op(4, 0),
    op(6, 3, weight_base=77, source=8, sparse=1, index_base=99, shift=1),
    op(7, 2, weight_base=10, source=2),
]


@pytest.mark.parametrize(("cell_lanes", "gaps"), [(1, None), (2, 5)])
def test_accumulates_and_drains(cell_lanes, gaps):
    bench = Bench(1, AcceleratorConfig(**CONFIG.to_json() | {"cell_lanes": cell_lanes}))
    dut = bench.dut

    async def testbench(ctx):
        await bench.load(ctx)
        rng = np.random.default_rng(gaps)
        for each in OPS:
            ctx.set(dut.ops.payload, each)
            ctx.set(dut.ops.valid, 1)
            await ctx.tick().until(dut.ops.ready)
            ctx.set(dut.ops.valid, 0)
            bench.expect(each)
            if gaps is not None:
                await ctx.tick().repeat(int(rng.integers(1, 12)))
        while not ctx.get(dut.idle):
            await ctx.tick()
        assert (await bench.drain(ctx) == bench.sums).all()
        assert (await bench.drain(ctx) == 0).all()

    bench.simulation.add(testbench)
    bench.simulation.run()
    assert np.count_nonzero(bench.sums) > 10


def test_ops_stream_without_a_gap():
    bench = Bench(2)
    dut = bench.dut
    work = sum(each["columns"] * each["entries"] for each in OPS)
    multiplying = []

    async def monitor(ctx):
        async for _, _, active in ctx.tick().sample(dut.multiplying):
            multiplying.append(active)

    async def testbench(ctx):
        ctx.set(dut.ops.payload, OPS[0])
        ctx.set(dut.ops.valid, 1)
        await ctx.tick()
        for each in OPS[1:]:
            ctx.set(dut.ops.payload, each)
            await ctx.tick().until(dut.ops.ready)
        ctx.set(dut.ops.valid, 0)
        while not ctx.get(dut.idle):
            await ctx.tick()

    bench.simulation.add(monitor, background=True)
    bench.simulation.add(testbench)
    bench.simulation.run()
    first = multiplying.index(1)
    # An op without work takes the cycle in which it is handed over, and nothing more.
    assert multiplying[first:].count(0) == 2 + 2
    assert sum(multiplying) == work


@pytest.mark.parametrize(("columns", "entries"), [(1, 1), (3, 2), (6, 1), (0, 1), (1, 0)])
def test_latency_is_as_documented(columns, entries):
    bench = Bench(3)
    dut = bench.dut

    async def testbench(ctx):
        ctx.set(dut.ops.payload, op(columns, entries))
        ctx.set(dut.ops.valid, 1)
        await ctx.tick()
        ctx.set(dut.ops.valid, 0)
        cycle = 1
        while not ctx.get(dut.idle):
            assert ctx.get(dut.ops.ready) == (cycle >= columns * entries)
            cycle += 1
            await ctx.tick()
        assert cycle == (columns * entries + 5 if columns * entries else 1)

    bench.simulation.add(testbench)
    bench.simulation.run()
