import random

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.reduction import Reduction, add_pairs
from gatewright.hw.rtl.stages import SUM_READ

BITS = 24


class Pairs(wiring.Component):
    """`add_pairs` by itself."""

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = inputs, outputs
        super().__init__(
            {
                "values": In(data.ArrayLayout(signed(BITS), inputs)),
                "results": Out(data.ArrayLayout(signed(BITS), outputs)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for result, value in zip(self.results, add_pairs(m, list(self.values), self.outputs), strict=True):
            m.d.comb += result.eq(value)
        return m


@pytest.mark.parametrize(("inputs", "outputs"), [(16, 2), (32, 8), (8, 1)])
def test_adds_one_array_a_cycle(inputs, outputs):
    rng = random.Random(inputs)
    low = -(1 << BITS - 1)
    arrays = [[rng.randint(low, -low - 1) for _ in range(inputs)] for _ in range(40)]
    latency = exact_log2(inputs // outputs)
    dut = Pairs(inputs, outputs)
    simulation = Simulation(dut)
    got = []

    async def testbench(ctx):
        for values in [*arrays, *latency * [[0] * inputs]]:
            ctx.set(dut.values, values)
            _, _, results = await ctx.tick().sample(dut.results)
            got.append(list(results))

    simulation.add(testbench)
    simulation.run()
    for values, results in zip(arrays, got[latency:], strict=True):
        sums = [sum(values[k::outputs]) for k in range(outputs)]
        assert results == [(total - low) % (1 << BITS) + low for total in sums]


@pytest.mark.parametrize("baked", [False, True])
@pytest.mark.parametrize(
    "shape", [{"lanes": 4, "cell_lanes": 1}, {"lanes": 16, "groups": 2, "cell_lanes": 2}]
)
def test_sums_have_their_bias_and_come_in_their_cycle(shape, baked):
    """Of a reading: sums of the lanes that are `drain_lanes` apart, each with its bias, and all of them as one."""
    config = AcceleratorConfig(**shape, bias_depth=4, activation_depth=64)
    width = config.drain_lanes
    rng = random.Random(width)
    biases = [[rng.randrange(-(1 << 31), 1 << 31) for _ in range(width)] for _ in range(4)]
    words = [sum((bias & 0xFFFFFFFF) << 32 * k for k, bias in enumerate(group)) for group in biases]
    dut = Reduction(config, {"bias": [words]} if baked else None)
    sum_latency = 3 + exact_log2(config.lanes // width) + 1
    total_latency = sum_latency + exact_log2(width)
    assert (dut.sum_latency, dut.total_latency) == (sum_latency, total_latency)
    simulation = Simulation(dut, limit=400)

    def wrapped(value):
        return (value + (1 << 31)) % (1 << 32) - (1 << 31)

    async def load(ctx):
        for position in range(4 * width):
            ctx.set(dut.biases.enable, 1 << position % width)
            ctx.set(dut.biases.offset, position // width)
            ctx.set(dut.biases.data, biases[position // width][position % width] & 0xFFFFFFFF)
            await ctx.tick()
        ctx.set(dut.biases.enable, 0)

    async def op(ctx, *, single, biased, base):
        """Read for a while, with pauses; give what is wanted of each cycle, and what was seen."""
        for name, value in {"start": 1, "single": single, "biased": biased, "bias_base": base}.items():
            ctx.set(getattr(dut, name), value)
        await ctx.tick()
        # What follows shows that all was taken in the cycle of `start`.
        for name, value in {
            "start": 0,
            "single": 1 - single,
            "biased": 1 - biased,
            "bias_base": 3 - base,
        }.items():
            ctx.set(getattr(dut, name), value)
        reads = [1, 1, 0, 1, 0, 0, 1] if single else [1, 0, 1]
        place, wanted, late, seen = 0, [], [[0] * config.lanes] * SUM_READ, []
        for cycle in range(len(reads) + total_latency):
            read = cycle < len(reads) and reads[cycle]
            values = [rng.randrange(-(1 << 31), 1 << 31) for _ in range(config.lanes)]
            if read:
                group, within = divmod(place, width)
                ones = [biased * (k == within) if single else 1 for k in range(width)]
                sums = [
                    wrapped(sum(values[k::width]) + one * bias)
                    for k, (one, bias) in enumerate(zip(ones, biases[base + group], strict=True))
                ]
                wanted.append((cycle, sums))
                place += 1 if single else width
            late.append(values)
            ctx.set(dut.read, read)
            ctx.set(dut.values, late[-1 - SUM_READ])
            _, _, summed, folded, sums, total = await ctx.tick().sample(
                dut.summed, dut.folded, dut.sums, dut.total
            )
            seen.append((summed, folded, list(sums), total))
        assert [(cycle, seen[cycle][2]) for cycle, each in enumerate(seen) if each[0]] == [
            (cycle + sum_latency, sums) for cycle, sums in wanted
        ]
        assert [(cycle, each[3]) for cycle, each in enumerate(seen) if each[1]] == [
            (cycle + total_latency, wrapped(sum(sums))) for cycle, sums in wanted
        ]

    async def testbench(ctx):
        if not baked:
            await load(ctx)
        for single, biased, base in ((0, 1, 1), (1, 1, 2), (1, 0, 0), (1, 1, 0), (0, 1, 0)):
            await op(ctx, single=single, biased=biased, base=base)

    simulation.add(testbench)
    simulation.run()
